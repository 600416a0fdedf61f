"""What happens between the requests of a history."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from decisions.caps import Fact
from decisions.standing import Signal

from .facts import SIGNALS, Told, ledger_facts, signals
from .history import ANSWERS, History
from .known import Answered, Turn


class Happenings:
    """What happens between the requests of a history, shared by the policies that are replayed on it."""

    def __init__(self, history: History) -> None:
        self._history = history

    def signals_before(self, turn: Turn, heard: int) -> Sequence[Signal | None]:
        """See `Known`."""
        told, found = self.standing
        return found[told.begin[turn.request.buyer_id] + heard : told.known_by[turn.place]]

    def facts_before(self, turn: Turn, told: int) -> Sequence[Fact]:
        """See `Known`."""
        rows, found = self._ledger
        return found[rows.begin[turn.request.buyer_id] + told : rows.known_by[turn.place]]

    def losses_before(self, until: int, lost: int) -> Sequence[tuple[int, str]]:
        """See `Known`."""
        return self._losses[lost : bisect_left(self._losses, (until, ""), lo=lost)]

    def found_at(self, case: str) -> int | None:
        """See `Known`."""
        return self._found_at.get(case)

    def asked_again(self, order: str) -> bool:
        """See `Known`."""
        return order in self._asked_again

    def answers(self, buyer_id: str, case: str) -> Sequence[Answered]:
        """See `Known`."""
        return self._answers.get((buyer_id, case), ())

    @cached_property
    def _ledger(self) -> tuple[Told, list[Fact]]:
        """What ledgers are told."""
        kinds = ("refund_requested", *ANSWERS)
        told = Told.of(self._history.facts, self._history.requests, kinds, cases=True)
        return told, ledger_facts(told.events)

    @cached_property
    def standing(self) -> tuple[Told, list[Signal | None]]:
        """What standings hear."""
        told = Told.of(self._history.facts, self._history.requests, SIGNALS, cases=False)
        return told, signals(told.events)

    @cached_property
    def _losses(self) -> list[tuple[int, str]]:
        """After-sales that are found shipped, by when it became known first."""
        facts = self._history.facts
        found = facts.filter(pc.equal(facts["kind"], "refund_found_shipped"))
        known: dict[tuple[str, str], int] = {}
        for case, buyer, at in zip(
            found["after_sale_id"].to_pylist(),
            found["buyer_id"].to_pylist(),
            found["recorded_at"].cast(pa.int64()).to_pylist(),
            strict=True,
        ):
            if case is not None and self._asker.get(case) == buyer:
                known.setdefault((case, buyer), at)
        return sorted((at, case) for (case, _), at in known.items())

    @cached_property
    def _found_at(self) -> dict[str, int]:
        """When each of them became known."""
        return {case: at for at, case in self._losses}

    @cached_property
    def _asker(self) -> dict[str, str]:
        requests = self._history.requests
        return dict(zip(requests["after_sale_id"].to_pylist(), requests["buyer_id"].to_pylist(), strict=True))

    @cached_property
    def _asked_again(self) -> frozenset[str]:
        """Orders that are asked about more than once."""
        counts = pc.value_counts(self._history.requests["order_id"].combine_chunks())
        return frozenset(counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist())

    @cached_property
    def _answers(self) -> dict[tuple[str, str], list[Answered]]:
        """Answers to requests about orders in `_asked_again`, by buyer and after-sale."""
        facts = self._history.facts
        wanted = pc.and_(
            pc.is_in(facts["kind"], value_set=pa.array(ANSWERS)),
            pc.is_in(
                facts["after_sale_id"],
                value_set=self._history.requests.filter(
                    pc.is_in(
                        self._history.requests["order_id"],
                        value_set=pa.array(sorted(self._asked_again), pa.string()),
                    )
                )["after_sale_id"],
            ),
        )
        rows = facts.filter(wanted)
        found: dict[tuple[str, str], list[Answered]] = {}
        names = ("buyer_id", "after_sale_id", "kind", "amount_fen", "order_id")
        for buyer, case, kind, fen, order, at in zip(
            *(rows[name].to_pylist() for name in names),
            rows["recorded_at"].cast(pa.int64()).to_pylist(),
            strict=True,
        ):
            found.setdefault((buyer, case), []).append((at, kind, fen or 0, order))
        return found
