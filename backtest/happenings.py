"""What happens between the requests of a history."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from decisions.caps import Fact
from decisions.request import ShopEvidence
from decisions.standing import Signal
from features.scan import batches
from models.buyer_score import BuyerScore
from models.deciding.sweeping import PeerVerdict

from .columns import Ints, micros_of
from .facts import SIGNALS, Told, ledger_facts, signals
from .history import ANSWERS, History
from .known import Answered, Turn
from .links import COLUMNS as LINK_COLUMNS
from .links import Links, of_links
from .night_scores import NightScores, Reads
from .shop_figures import COLUMNS as SHOP_COLUMNS
from .shop_figures import ShopEvents, of_shops

KEPT_NIGHTS: Final = 40
"""Measures of shops that are kept for the next policy."""


class Happenings:
    """What happens between the requests of a history, shared by the policies that are replayed on it."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._scores = NightScores(history.log)
        self._measured: dict[int, dict[str, ShopEvidence]] = {}

    def signals_before(self, turn: Turn, heard: int) -> Sequence[Signal | None]:
        """See `Known`."""
        told, found = self.standing
        return found[told.begin[turn.request.buyer_id] + heard : told.known_by[turn.place]]

    def heard_between(self, since: int, until: int) -> set[str]:
        """See `Known`."""
        recorded, buyers = self._signals_in_time
        begin, end = np.searchsorted(recorded, (since, until), side="left").tolist()
        return set(buyers[begin:end])

    def signals_until(self, buyer_id: str, heard: int, until: int) -> Sequence[Signal | None]:
        """See `Known`."""
        told, found = self.standing
        if (first := told.begin.get(buyer_id)) is None:
            return ()
        begin, end = first + heard, told.end[buyer_id]
        end = begin + int(np.searchsorted(self._signals_recorded[begin:end], until, side="left"))
        return found[begin:end]

    def linked(self, until: int) -> dict[str, list[PeerVerdict]]:
        """See `Known`."""
        return self._links.verdicts(until)

    def shops(self, at: int) -> dict[str, ShopEvidence]:
        """See `Known`: measured once for all policies."""
        if at not in self._measured:
            self._measured = {
                **dict(list(self._measured.items())[-KEPT_NIGHTS:]),
                at: self._shops.measured(at),
            }
        return self._measured[at]

    def scores(self, at: int, score: BuyerScore) -> Reads:
        """See `Known`."""
        return self._scores.at(at, score)

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
    def _signals_recorded(self) -> Ints:
        return micros_of(self.standing[0].events["recorded_at"])

    @cached_property
    def _signals_in_time(self) -> tuple[Ints, list[str]]:
        """When signals became known, in that order, and of whom they are."""
        order = np.argsort(self._signals_recorded, kind="stable")
        return self._signals_recorded[order], self.standing[0].events["buyer_id"].take(order).to_pylist()

    @cached_property
    def _links(self) -> Links:
        links = Links()
        for batch in batches(self._history.log, LINK_COLUMNS):
            links.add(of_links(pa.Table.from_batches([batch])))
        return links

    @cached_property
    def _shops(self) -> ShopEvents:
        some = [of_shops(pa.Table.from_batches([b])) for b in batches(self._history.log, SHOP_COLUMNS)]
        return ShopEvents.of(pa.concat_tables(some))

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
