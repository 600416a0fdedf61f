"""What standings, ledgers and budgets hear of a market that goes on."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from decisions.caps import Fact
from decisions.standing import Signal

from ..columns import micros_of
from ..facts import SIGNALS, ledger_facts, signals
from ..history import ANSWERS, KINDS
from ..instants import micros
from ..known import Answered, Turn

NEVER: Final = 1 << 62
T = TypeVar("T")


class Hearing:
    """Told step by step; a buyer's events in the order in which they became known. See `known.Known`."""

    def __init__(self) -> None:
        self._signals: dict[str, list[tuple[int, Signal | None]]] = defaultdict(list)
        self._facts: dict[str, list[tuple[int, Fact]]] = defaultdict(list)
        self._answered: dict[tuple[str, str], list[Answered]] = defaultdict(list)
        self._finds: list[tuple[int, str]] = []
        self._found: set[str] = set()
        self._lost = 0

    def add(self, events: pa.Table) -> None:
        """Hear what became known."""
        some = events.filter(pc.is_in(events["kind"], value_set=pa.array(KINDS)))
        if not len(some):
            return
        heard = some.filter(pc.is_in(some["kind"], value_set=pa.array(SIGNALS)))
        for buyer, at, signal in zip(*_who_and_when(heard), signals(heard), strict=True):
            self._signals[buyer].append((at, signal))
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
        return [signal for _, signal in _before(self._signals, turn, heard)]

    def facts_before(self, turn: Turn, told: int) -> Sequence[Fact]:
        """See `known.Known`."""
        return [fact for _, fact in _before(self._facts, turn, told)]

    def losses_before(self, until: int, lost: int) -> Sequence[tuple[int, str]]:
        """See `known.Known`."""
        self._lost = bisect_left(self._finds, (until, ""), lo=lost)
        return self._finds[lost : self._lost]

    def found_at(self, case: str) -> int | None:
        """See `known.Known`: whether a parcel is found is not known before it is."""
        return NEVER

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


def _before(found: dict[str, list[tuple[int, T]]], turn: Turn, after: int) -> list[tuple[int, T]]:
    """Take a buyer's from the ``after``-th on that were known before the request."""
    own, at = found.get(turn.request.buyer_id, ()), micros(turn.request.requested_at)
    end = after
    while end < len(own) and own[end][0] < at:
        end += 1
    return list(own[after:end])
