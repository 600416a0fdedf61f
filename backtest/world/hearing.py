"""What standings, ledgers and budgets hear of a market that goes on."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from decisions.caps import Fact
from decisions.request import ShopEvidence
from decisions.standing import Signal
from models.buyer_score import BuyerScore
from models.deciding.sweeping import PeerVerdict

from ..columns import micros_of
from ..facts import SIGNALS, ledger_facts, signals
from ..instants import micros
from ..known import Answered, Turn
from ..laid_down import ANSWERS, KINDS
from ..links import Links, of_links
from ..night_scores import Reads, reads_at
from ..shop_figures import WINDOW_US, ShopEvents, of_shops
from .archive import Archive

NEVER: Final = 1 << 62
T = TypeVar("T")


class Hearing:
    """Told step by step; a buyer's events in the order in which they became known. See `known.Known`.

    Parameters
    ----------
    archive : Archive
        Of the same events.
    of_shops : bool
        Whether shops are measured.
    """

    def __init__(self, archive: Archive, *, of_shops: bool) -> None:
        self._hears_of_shops = of_shops
        self._archive, self._links, self._shops = archive, Links(), list[pa.Table]()
        self._new: list[tuple[int, str]] = []
        self._signals: dict[str, list[tuple[int, Signal | None]]] = defaultdict(list)
        self._facts: dict[str, list[tuple[int, Fact]]] = defaultdict(list)
        self._answered: dict[tuple[str, str], list[Answered]] = defaultdict(list)
        self._finds: list[tuple[int, str]] = []
        self._found: set[str] = set()
        self._lost = 0

    def add(self, events: pa.Table) -> None:
        """Hear what became known."""
        self._links.add(of_links(events))
        if self._hears_of_shops:
            self._shops.append(of_shops(events))
        some = events.filter(pc.is_in(events["kind"], value_set=pa.array(KINDS)))
        if not len(some):
            return
        heard = some.filter(pc.is_in(some["kind"], value_set=pa.array(SIGNALS)))
        for buyer, at, signal in zip(*_who_and_when(heard), signals(heard), strict=True):
            self._signals[buyer].append((at, signal))
            self._new.append((at, buyer))
        cases = some.filter(pc.is_valid(some["after_sale_id"]))
        told = _of(cases, ("refund_requested", *ANSWERS))
        for buyer, at, fact in zip(*_who_and_when(told), ledger_facts(told), strict=True):
            self._facts[buyer].append((at, fact))
        self._hear_answers(_of(cases, ANSWERS))
        self._hear_finds(_of(cases, ("refund_found_shipped",)))

    def _hear_answers(self, events: pa.Table) -> None:
        names = ("after_sale_id", "kind", "amount_fen", "order_id")
        columns = (events[name].to_pylist() for name in names)
        for buyer, at, case, kind, fen, order in zip(*_who_and_when(events), *columns, strict=True):
            self._answered[buyer, case].append((at, kind, fen or 0, order))

    def _hear_finds(self, events: pa.Table) -> None:
        for _, at, case in zip(*_who_and_when(events), events["after_sale_id"].to_pylist(), strict=True):
            if case not in self._found:
                self._found.add(case)
                self._finds.append((at, case))
        self._finds[self._lost :] = sorted(self._finds[self._lost :])

    def signals_before(self, turn: Turn, heard: int) -> Sequence[Signal | None]:
        """See `known.Known`."""
        return [signal for _, signal in _before_turn(self._signals, turn, heard)]

    def heard_between(self, since: int, until: int) -> set[str]:
        """See `known.Known`; of what was before `until` nobody asks again."""
        heard = {buyer for at, buyer in self._new if since <= at < until}
        self._new = [(at, buyer) for at, buyer in self._new if at >= until]
        return heard

    def signals_until(self, buyer_id: str, heard: int, until: int) -> Sequence[Signal | None]:
        """See `known.Known`."""
        return [signal for _, signal in _before(self._signals, buyer_id, heard, until)]

    def linked(self, until: int) -> dict[str, list[PeerVerdict]]:
        """See `known.Known`."""
        return self._links.verdicts(until)

    def shops(self, at: int) -> dict[str, ShopEvidence]:
        """See `known.Known`; what is too old for later nights is forgotten."""
        events = pa.concat_tables(self._shops)
        recorded = micros_of(events["recorded_at"])
        self._shops = [events.filter(pa.array(recorded >= at - WINDOW_US))]
        return ShopEvents.of(self._shops[0]).measured(at)

    def scores(self, at: int, score: BuyerScore) -> Reads:
        """See `known.Known`."""
        return reads_at(self._archive.events, at, score)

    def facts_before(self, turn: Turn, told: int) -> Sequence[Fact]:
        """See `known.Known`."""
        return [fact for _, fact in _before_turn(self._facts, turn, told)]

    def losses_before(self, until: int, lost: int) -> Sequence[tuple[int, str]]:
        """See `known.Known`."""
        self._lost = bisect_left(self._finds, (until, ""), lo=lost)
        return self._finds[lost : self._lost]

    def found_at(self, case: str) -> int | None:
        """See `known.Known`: whether a parcel is found is not known before it is."""
        return NEVER

    def refused_and_disputed(self, case: str) -> bool:
        """See `known.Known`: nobody refuses what was refunded at once."""
        return False

    def asked_again(self, order: str) -> bool:
        """See `known.Known`: any may be."""
        return True

    def answers(self, buyer_id: str, case: str) -> Sequence[Answered]:
        """See `known.Known`."""
        return self._answered.get((buyer_id, case), ())


def _of(events: pa.Table, kinds: Sequence[str]) -> pa.Table:
    return events.filter(pc.is_in(events["kind"], value_set=pa.array(kinds)))


def _who_and_when(events: pa.Table) -> tuple[list[str], list[int]]:
    return events["buyer_id"].to_pylist(), micros_of(events["recorded_at"]).tolist()


def _before_turn(found: dict[str, list[tuple[int, T]]], turn: Turn, after: int) -> list[tuple[int, T]]:
    return _before(found, turn.request.buyer_id, after, micros(turn.request.requested_at))


def _before(found: dict[str, list[tuple[int, T]]], buyer_id: str, after: int, at: int) -> list[tuple[int, T]]:
    """Take a buyer's from the ``after``-th on that were known before an instant."""
    own = found.get(buyer_id, ())
    end = after
    while end < len(own) and own[end][0] < at:
        end += 1
    return list(own[after:end])
