"""The state of the closed loop: who lives there, what is still to come, and what answers lead to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from .archetypes import ARCHETYPES
from .calendar import Calendar
from .config import MarketConfig
from .course import begun, intended
from .draws import DAY, Bools, Floats, Ints, Rng, chance
from .habits import Habits
from .investigation import Findings
from .journal import NIL, Rows, finding_rows, link_rows
from .links import Links, link
from .minds import Minds
from .orders import Orders, charm, stacked
from .people import People, settle, together
from .plan import Cases, First, Plan, make_plan
from .successors import linked, reopened
from .vocabulary import KIND
from .world import make_world, stream

STAYS_BELOW: Final = (0.7, 0.97)
"""Who moves under an amount chooses goods for a share of it in this range."""
VERDICTS: Final = [KIND["abuse_confirmed"], KIND["abuse_cleared"]]


class Town:
    """A market in the making.

    Attributes
    ----------
    people
        Everyone; grows by the accounts that abusers open. Abuse ends where an account is given up.
    """

    def __init__(self, config: MarketConfig) -> None:
        self._world, self._config = make_world(config), config
        self._rows, self._cases = Calendar[Rows](config.days), Calendar[Cases](config.days)
        self._plans, self._first_case = list[Plan](), [0]
        self._alive, self._scripted = np.ones(0, np.bool_), list[tuple[Ints, Orders]]()
        self._incident, self._void = np.zeros(0), np.zeros(0, np.bool_)
        blocks, links = list[People](), list[Links]()
        for block in range(config.blocks):
            rng = stream(config, 1, block)
            people = settle(config, self._world, rng, block)
            self._begin(rng, people, *intended(people, self._world, rng))
            own = link(people, rng, block=block, end=self._world.end)
            links.append(replace(own, buyer=own.buyer + people.first))
            blocks.append(people)
        self.people, self._links = together(blocks), stacked(links)
        self._put(link_rows(self._links))
        patience = np.array([a.reaction.patience for a in ARCHETYPES])[self.people.code]
        self._minds = Minds(self.people.is_abuser, patience)

    @property
    def no_cases(self) -> Cases:
        """No requests."""
        return self._plans[0].cases.pick(slice(0, 0))

    def rows_of(self, day: int) -> list[Rows]:
        """Give the events that become known on a day whatever is answered on it."""
        return [rows.pick(self._holds(rows)) for rows in self._rows.take(day)]

    def cases_of(self, day: int) -> Cases:
        """Give the requests of a day in order of time."""
        cases = stacked([self.no_cases, *self._cases.take(day)])
        cases = cases.pick(self._alive[cases.order])
        return cases.pick(np.argsort(cases.at, kind="stable"))

    def asks_at(self, cases: Cases) -> Floats:
        """Say for every account when it asks in these cases, infinite where it does not."""
        at = np.full(len(self.people), np.inf)
        at[cases.buyer] = cases.at
        return at

    def feel(self, cases: Cases, *, auto: Bools, revoked: Bools) -> None:
        """Let abusers learn from the answers to cases, from several of one instant one after the other."""
        for rows in _one_of_each(cases.buyer):
            self._minds.feel(cases.pick(rows), auto=auto[rows], revoked=revoked[rows])

    def live_with(self, cases: Cases, *, auto: Bools, day: int) -> Rows:
        """Take the answers to cases; give what follows on that day and keep what follows later."""
        plan = np.searchsorted(self._first_case, cases.number, side="right") - 1
        rows = [self.no_rows]
        for p in np.unique(plan):
            of = plan == p
            rows.append(self._plans[p].sequel(cases.number[of] - self._first_case[p], auto=auto[of]))
        follows = stacked(rows)
        today = follows.recorded < (day + 1) * DAY
        self._put([follows.pick(~today)])
        return follows.pick(today)

    @property
    def no_rows(self) -> Rows:
        """No events."""
        return self._plans[0].fixed.pick(slice(0, 0))

    def react(self, day: int) -> None:
        """Let the abusers who felt something on this day change what they mean to do."""
        minds, now = self._minds, (day + 1) * DAY
        if not (minds.moved | minds.slower | minds.leaves).any():
            return
        rng = stream(self._config, 2, day)
        self._rewrite(rng, now)
        leaving = np.flatnonzero(minds.leaves)
        parents, newcomers = reopened(self.people, rng, leaving, now=now)
        self._give_up(leaving, now)
        minds.grow(parents)
        if len(parents):
            self._arrive(rng, newcomers, parents, now)

    def _rewrite(self, rng: Rng, now: float) -> None:
        number, orders = self._still_to_come(now)
        minds, of = self._minds, orders.buyer
        drops = minds.leaves[of] | (minds.slower[of] & chance(rng, 0.5, len(of)))
        dear = ~drops & minds.moved[of] & (orders.fen >= minds.limit[of])
        self._alive[number[drops | dear]] = False
        if dear.any():
            cheaper = _under(rng, orders.pick(dear), minds.limit[of[dear]])
            self._plan(rng, cheaper, self.people.habits, buyer=0)

    def _still_to_come(self, now: float) -> tuple[Ints, Orders]:
        number = np.concatenate([n for n, _ in self._scripted])
        orders = stacked([o for _, o in self._scripted])
        coming = self._alive[number] & (orders.placed >= now)
        self._scripted = [(number[coming], orders.pick(coming))]
        return self._scripted[0]

    def _give_up(self, accounts: Ints, now: float) -> None:
        people = self.people
        self._minds.give_up(accounts)
        self._void[accounts] |= self._incident[accounts] >= now
        people.starts[accounts] = np.where(people.starts[accounts] < now, people.starts[accounts], np.inf)
        people.stops[accounts] = np.minimum(people.stops[accounts], now)

    def _arrive(self, rng: Rng, newcomers: People, parents: Ints, now: float) -> None:
        orders, findings = begun(newcomers, self._world, rng)
        limit = self._minds.limit[parents][orders.buyer]
        dear = orders.fen >= limit
        fen = orders.fen.copy()
        fen[dear] = _under(rng, orders.pick(dear), limit[dear]).fen
        self._begin(rng, newcomers, replace(orders, fen=fen), findings)
        free = self._config.blocks
        links = linked(self._links, newcomers, parents, rng, free_block=free, now=now)
        self._put(link_rows(links))
        self._links = stacked([self._links, links])
        self.people = together([self.people, newcomers])

    def _begin(self, rng: Rng, people: People, orders: Orders, findings: Findings) -> None:
        self._plan(rng, orders, people.habits, buyer=people.first)
        self._put(finding_rows(replace(findings, buyer=findings.buyer + people.first)))
        incident = np.full(len(people), np.inf)
        incident[findings.buyer] = findings.happened
        self._incident = np.append(self._incident, incident)
        self._void = np.append(self._void, np.zeros(len(people), np.bool_))

    def _plan(self, rng: Rng, orders: Orders, habits: Habits, *, buyer: int) -> None:
        first = First(buyer=buyer, order=len(self._alive), case=self._first_case[-1])
        plan = make_plan(self._world, rng, orders, habits, first=first)
        number = first.order + np.flatnonzero(orders.scripted)
        self._scripted.append((number, plan.orders.pick(orders.scripted)))
        self._alive = np.append(self._alive, np.ones(len(orders), np.bool_))
        self._plans.append(plan)
        self._first_case.append(first.case + len(plan.cases))
        self._put([plan.fixed])
        self._cases.add(plan.cases, plan.cases.at)

    def _put(self, parts: list[Rows]) -> None:
        for rows in parts:
            self._rows.add(rows, rows.recorded)

    def _holds(self, rows: Rows) -> Bools:
        void = np.isin(rows.kind, VERDICTS) & self._void[rows.buyer]
        dropped = (rows.order != NIL) & ~self._alive[rows.order]
        return np.asarray(~(void | dropped))


def _one_of_each(values: Ints) -> Iterator[Ints]:
    """Yield rows without a repeated value, then what is left of them."""
    left = np.arange(len(values))
    while len(left):
        first = np.sort(np.unique(values[left], return_index=True)[1])
        yield left[first]
        left = np.delete(left, first)


def _under(rng: Rng, orders: Orders, limit: Ints) -> Orders:
    """Choose cheaper goods for orders, below each one's limit; baskets are numbered anew."""
    fen = charm(limit / 100.0 * rng.uniform(*STAYS_BELOW, len(orders)))
    basket = np.unique(orders.basket, return_inverse=True)[1]
    return replace(orders, fen=np.clip(fen, 1, limit - 1), basket=basket)
