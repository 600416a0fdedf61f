"""The one path of a decision, for HTTP and the command line: history, assessment, rules, record."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from decisions.policy import Policy, with_guarantee
from decisions.request import RefundRequest
from decisions.standing import Transition
from decisions.tiers import counted
from features.errors import BadInput
from models.deciding import record
from models.deciding.many import buyer_evidences
from models.deciding.moving import Moving
from models.deciding.path import Ahead, Evidence, decide_next
from models.deciding.row import DecisionRow
from models.evidence import BuyerAssessment
from models.registry import LoadedModel

from .champion import Champion
from .errors import AfterSaleConflict, Unavailable
from .gathering import WAITING, Gathering
from .histories import Known, known_of
from .policies import Policies
from .store import chains, profiles, standings
from .store import decisions as decision_store
from .store import shops as shop_store
from .store.database import Database
from .store.decisions import Asked, Page, Read
from .using import used

if TYPE_CHECKING:
    from .store.database import Connection

Observe = Callable[[str, float], None]
Changed = Callable[[Transition], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """A stored decision; ``created`` is False when it had been made before.

    ``failed_rules`` are those that a new decision failed, in order.
    """

    row: DecisionRow
    created: bool
    failed_rules: tuple[str, ...] = ()

    @property
    def failed_rule(self) -> str | None:
        """The first of them."""
        return self.failed_rules[0] if self.failed_rules else None


@dataclass(frozen=True, slots=True)
class _Ask:
    request: RefundRequest
    digest: bytes
    decided_at: datetime


class DecisionService:
    """Decides refunds and keeps the decisions.

    Parameters
    ----------
    database : Database
    champion : Champion
    policies : Policies
        Which policy is in force; by default the notice unless another was activated. One that leaves the
        cut-off to the model is completed with each model's guaranteed one.
    observe : callable
        Told the name and the seconds of each stage: of a group, but for ``wait``, which is each request's.
    changed : callable
        Told every change of a standing once it is stored.
    waiting : int
        How many requests may wait for their group.
    """

    def __init__(
        self,
        *,
        database: Database,
        champion: Champion,
        policies: Policies | None = None,
        observe: Observe = lambda _stage, _seconds: None,
        changed: Changed = lambda _transition: None,
        waiting: int = WAITING,
    ) -> None:
        self.database, self.champion, self._observe, self._changed = database, champion, observe, changed
        self.policies = policies or Policies()
        self._turns = Gathering[_Ask, Decided](
            self._decide, apart=_apart, limit=waiting, waited=lambda seconds: observe("wait", seconds)
        )

    async def decide(self, request: RefundRequest, *, digest: bytes, decided_at: datetime) -> Decided:
        """Decide once: the first call of an after-sale id stores what every later one gets.

        Requests that wait are decided in one transaction, in turn with others of the same buyer or order, so
        that two requests for one order cannot both be granted its money.

        Raises
        ------
        AfterSaleConflict
            The after-sale id was decided for another digest.
        Unavailable
            The database or the model is away, or too many wait; nothing was decided.
        """
        return await self._turns.ask(_Ask(request, digest, decided_at))

    async def close(self) -> None:
        """Finish what was asked."""
        await self._turns.close()

    async def _decide(self, asks: Sequence[_Ask]) -> list[Decided | Exception]:
        """Decide a group in one transaction: all locks, one reading, decision by decision, one writing.

        What is read for a decision belongs into `decision_store.READ`, what one decision changes for the
        next of its group into `Ahead`, what is written beside the decisions after `decision_store.add`. A
        decision that cannot be made is an exception in its place and stops no other.
        """
        asked = [_asked(ask) for ask in asks]
        async with self.database.transaction() as connection:
            with self._stage("turn"):
                await decision_store.take_turns(connection, asked)
            with self._stage("history"):
                found, lane = await decision_store.read(connection, asked)
                known = [a.after_sale_id for a, one in zip(asked, found, strict=True) if one.known]
                before = await decision_store.of_after_sales(connection, known)
                new = [i for i, a in enumerate(asked) if a.after_sale_id not in before]
                buyers = [(asked[i].buyer_id, asked[i].as_of) for i in new]
                histories = await known_of(connection, buyers, [found[i].profile for i in new])
                await self.policies.keep_up(connection, found[0].policy_epoch)
                ahead = await self._ahead(connection, asks, new)
            with self._stage("assess"):
                made = self._made(asks, new, found, histories, ahead)
            with self._stage("store"):
                decided = [one.row for one in made.values() if isinstance(one, Decided)]
                if decided:
                    lane = lane or await chains.take(connection)
                    await decision_store.add(connection, decided, lane)
                kept = [one.keep for one in histories if isinstance(one, Known) and one.keep is not None]
                await profiles.save(connection, kept)
                moved = ahead.standings.moved()
                await standings.save(connection, moved, lane)
                stored = time.perf_counter()
        self._observe("commit", time.perf_counter() - stored)
        for change in (change for one in moved for change in one.transitions):
            self._changed(change)
        return [made[i] if i in made else _again(ask, before) for i, ask in enumerate(asks)]

    async def _ahead(self, connection: Connection, asks: Sequence[_Ask], new: Sequence[int]) -> Ahead:
        """Take the policy of a group, and read what only that policy needs."""
        instants = [ask.decided_at for ask in asks]
        policy = self.policies.at(max(instants))
        requests = [asks[i].request for i in new]
        found = await used(connection, requests, policy=policy, at=min(instants))
        ahead = Ahead(policy, found, Moving(policy))
        if policy.needs_shop:
            ahead.shops = await shop_store.read(connection, {one.order.shop_id for one in requests})
        return ahead

    def _made(
        self,
        asks: Sequence[_Ask],
        new: Sequence[int],
        found: Sequence[Read],
        histories: Sequence[Known | BadInput],
        ahead: Ahead,
    ) -> dict[int, Decided | Exception]:
        """Decide one after the other; who cannot be decided gets the reason, and the group goes on."""
        try:
            model = self.champion.current()
        except Unavailable as error:
            return dict.fromkeys(new, error)
        vectors = [one.vector for one in histories if isinstance(one, Known)]
        evidences = iter(buyer_evidences(np.array(vectors), score=model.score))
        made: dict[int, Decided | Exception] = {}
        for i, history in zip(new, histories, strict=True):
            if isinstance(history, BadInput):
                made[i] = history
                continue
            request, evidence = asks[i].request, next(evidences)
            buyer = BuyerAssessment(
                buyer_id=request.buyer_id,
                as_of=request.requested_at,
                vector=history.vector,
                evidence=evidence,
            )
            try:
                made[i] = self._row(asks[i], found[i], buyer, model, ahead)
            except Exception as error:  # whoever asked gets it
                made[i] = error
        return made

    def _row(
        self, ask: _Ask, found: Read, buyer: BuyerAssessment, model: LoadedModel, ahead: Ahead
    ) -> Decided:
        evidence = Evidence(
            buyer=buyer,
            order=found.order,
            latest_tier=counted(found.latest_tier, ahead.policy),
            heard=found.heard,
            model=model,
        )
        case, made = decide_next(ask.request, evidence, ahead, decided_at=ask.decided_at)
        row = record.row_of(case, made, digest=ask.digest)
        self.champion.saw(row.after_sale_id, buyer.vector, points=buyer.evidence.score, version=model.version)
        failed = tuple([verdict.code for verdict in made.rules if not verdict.passed])
        return Decided(row=row, created=True, failed_rules=failed)

    def in_force(self, model: LoadedModel, now: datetime) -> Policy:
        """Give the policy as it is with a model."""
        return with_guarantee(self.policies.at(now), model.guaranteed_cut_off)

    async def explain(self, rows: list[DecisionRow]) -> list[bytes]:
        """Give the answers of stored decisions with their reasons, by the models that made them."""
        return await asyncio.to_thread(self._explained, rows)

    def _explained(self, rows: list[DecisionRow]) -> list[bytes]:
        answers = []
        for row in rows:
            reasons = self.champion.reasons(row.model_version, [row.vector])
            answers.append(record.with_reasons(row.answer, reasons[0]) if reasons else row.answer)
        return answers

    async def find(self, decision_id: str) -> DecisionRow | None:
        """Find a decision by its id."""
        async with self.database.connection() as connection:
            return await decision_store.by_id(connection, decision_id)

    async def listed(self, page: Page) -> list[DecisionRow]:
        """List decisions, newest first, one more than the limit if there is more."""
        async with self.database.connection() as connection:
            return await decision_store.listed(connection, page)

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._observe(name, time.perf_counter() - started)


def _apart(ask: _Ask) -> tuple[tuple[str, str], ...]:
    """Let only one request of an order, and of an after-sale, be under way: each must see the one before."""
    request = ask.request
    return ("order", request.order.order_id), ("after_sale", request.after_sale_id)


def _asked(ask: _Ask) -> Asked:
    request = ask.request
    return Asked(request.after_sale_id, request.buyer_id, request.order.order_id, request.requested_at)


def _again(ask: _Ask, before: Mapping[str, DecisionRow]) -> Decided | Exception:
    """Answer what was decided before by what is stored."""
    row = before[ask.request.after_sale_id]
    if row.request_digest != ask.digest:
        return AfterSaleConflict(row.after_sale_id)
    return Decided(row=row, created=False)
