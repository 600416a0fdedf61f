"""What happens between the requests of a history."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
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
from .history import History
from .instants import instant, micros
from .known import Answered, Turn
from .laid_down import ANSWERS, REFUSALS
from .links import COLUMNS as LINK_COLUMNS
from .links import Links, of_links
from .months import month_name, months_from
from .night_scores import NightScores, Reads
from .shop_figures import COLUMNS as SHOP_COLUMNS
from .shop_figures import WINDOW_US, ShopEvents, of_shops
from .spool import Spool

DISPUTE: Final = "dispute_lost"
KEPT_NIGHTS: Final = 40
"""Measures of shops that are kept for the next policy."""


class Happenings:
    """What happens between the requests of a history, shared by the policies that are replayed on it.

    What ledgers are told is held for a month at a time, what is measured of shops for the window of a night.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._scores = NightScores(history.log)
        self._ledger: tuple[str, Told[Fact]] | None = None
        self._shops: tuple[tuple[str, ...], ShopEvents] | None = None
        self._measured: dict[int, dict[str, ShopEvidence]] = {}

    def signals_before(self, turn: Turn, heard: int) -> Sequence[Signal | None]:
        """See `Known`."""
        buyer_id = turn.request.buyer_id
        if buyer_id not in self._signals.rows:
            return ()
        return self._signals.before(buyer_id, heard, micros(turn.request.requested_at))

    def heard_between(self, since: int, until: int) -> set[str]:
        """See `Known`."""
        recorded, buyers = self._signals_in_time
        begin, end = np.searchsorted(recorded, (since, until), side="left").tolist()
        return set(buyers[begin:end])

    def signals_until(self, buyer_id: str, heard: int, until: int) -> Sequence[Signal | None]:
        """See `Known`."""
        return self._signals.before(buyer_id, heard, until)

    def linked(self, until: int) -> dict[str, list[PeerVerdict]]:
        """See `Known`."""
        return self._links.verdicts(until)

    def shops(self, at: int) -> dict[str, ShopEvidence]:
        """See `Known`: measured once for all policies."""
        if at not in self._measured:
            kept = dict(list(self._measured.items())[-KEPT_NIGHTS:])
            self._measured = {**kept, at: self._shop_events(at).measured(at)}
        return self._measured[at]

    def scores(self, at: int, score: BuyerScore) -> Reads:
        """See `Known`."""
        return self._scores.at(at, score)

    def facts_before(self, turn: Turn, told: int) -> Sequence[Fact]:
        """See `Known`."""
        request = turn.request
        facts = self._facts_of(month_name(request.requested_at))
        return facts.before(request.buyer_id, told, micros(request.requested_at))

    def facts_between(
        self, since: int, until: int, told: Mapping[str, int]
    ) -> Iterator[tuple[str, Sequence[Fact]]]:
        """Give, by buyer, what ledgers are told in whole months, after the first ``told`` of the first."""
        first, end = month_name(instant(since)), month_name(instant(until - 1))
        for month in self._history.fact_months:
            if first <= month <= end:
                facts = self._facts_of(month)
                for buyer_id, (begin, stop) in facts.rows.items():
                    begin += told.get(buyer_id, 0) if month == first else 0
                    if begin < stop:
                        yield buyer_id, facts.told[begin:stop]

    def losses_before(self, until: int, lost: int) -> Sequence[tuple[int, str]]:
        """See `Known`."""
        return self._losses[lost : bisect_left(self._losses, (until, ""), lo=lost)]

    def found_at(self, case: str) -> int | None:
        """See `Known`."""
        return self._found_at.get(case)

    def refused_and_disputed(self, case: str) -> bool:
        """See `Known`."""
        return case in self._refused_and_disputed

    def asked_again(self, order: str) -> bool:
        """See `Known`."""
        return order in self._history.asked_again

    def answers(self, buyer_id: str, case: str) -> Sequence[Answered]:
        """See `Known`."""
        return self._answers.get((buyer_id, case), ())

    def _facts_of(self, month: str) -> Told[Fact]:
        if self._ledger is None or self._ledger[0] != month:
            self._ledger = None
            facts = of_kinds(self._history.facts_of(month), ("refund_requested", *ANSWERS))
            self._ledger = month, Told.of(facts.filter(pc.is_valid(facts["after_sale_id"])), ledger_facts)
        return self._ledger[1]

    @cached_property
    def _signals(self) -> Told[Signal | None]:
        return Told.of(pa.concat_tables(of_kinds(f, SIGNALS) for f in self._history.facts()), signals)

    @cached_property
    def _signals_in_time(self) -> tuple[Ints, list[str]]:
        """When signals became known, in that order, and of whom they are."""
        found = self._signals
        buyers = [buyer for buyer, (begin, end) in found.rows.items() for _ in range(begin, end)]
        order = np.argsort(found.recorded, kind="stable")
        return found.recorded[order], [buyers[n] for n in order.tolist()]

    @cached_property
    def _links(self) -> Links:
        links = Links()
        for batch in batches(self._history.log, LINK_COLUMNS):
            links.add(of_links(pa.Table.from_batches([batch])))
        return links

    def _shop_events(self, at: int) -> ShopEvents:
        """Give the events of the months that a night's window touches."""
        months = tuple(months_from(instant(at - WINDOW_US), instant(at)))
        if self._shops is None or self._shops[0] != months:
            self._shops = None
            spooled = self._spooled_shops
            self._shops = months, ShopEvents.of(pa.concat_tables(spooled.read(m) for m in months))
        return self._shops[1]

    @cached_property
    def _spooled_shops(self) -> Spool:
        return self._history.laid_down.of_log(self._history.log, "shops", SHOP_COLUMNS, of_shops)

    @cached_property
    def _losses(self) -> list[tuple[int, str]]:
        """After-sales that are found shipped, by when it became known first."""
        found = pa.concat_tables(of_kinds(f, ("refund_found_shipped",)) for f in self._history.facts())
        known: dict[tuple[str, str], int] = {}
        cases, buyers = (found[name].to_pylist() for name in ("after_sale_id", "buyer_id"))
        asker = self._askers(found["after_sale_id"])
        for case, buyer, at in zip(cases, buyers, micros_of(found["recorded_at"]).tolist(), strict=True):
            if case is not None and asker.get(case) == buyer:
                known.setdefault((case, buyer), at)
        return sorted((at, case) for (case, _), at in known.items())

    @cached_property
    def _found_at(self) -> dict[str, int]:
        """When each of them became known."""
        return {case: at for at, case in self._losses}

    @cached_property
    def _refused_and_disputed(self) -> frozenset[str]:
        disputed = {signal.reference for signal in self._signals.told if signal and signal.kind == DISPUTE}
        cases = pa.array(sorted(case for case in disputed if case is not None), pa.string())
        found: set[str] = set()
        for facts in self._history.facts() if len(cases) else ():
            refused = of_kinds(facts, REFUSALS)["after_sale_id"]
            found.update(refused.filter(pc.is_in(refused, value_set=cases)).to_pylist())
        return frozenset(found)

    def _askers(self, cases: pa.ChunkedArray) -> dict[str, str]:
        """Tell who asked for some after-sales."""
        found: dict[str, str] = {}
        for month in self._history.months:
            rows = self._history.requests_of(month.name).select(["after_sale_id", "buyer_id"])
            rows = rows.filter(pc.is_in(rows["after_sale_id"], value_set=cases, skip_nulls=True))
            found |= dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        return found

    @cached_property
    def _answers(self) -> dict[tuple[str, str], list[Answered]]:
        """Answers to requests about orders that are asked about more than once, by buyer and after-sale."""
        again = pa.array(sorted(self._history.asked_again), pa.string())
        asked = self._history.asked(["after_sale_id", "order_id"]) if len(again) else None
        found: dict[tuple[str, str], list[Answered]] = {}
        if asked is None:
            return found
        cases = asked.filter(pc.is_in(asked["order_id"], value_set=again))["after_sale_id"]
        names = ("buyer_id", "after_sale_id", "kind", "amount_fen", "order_id")
        for facts in self._history.facts():
            rows = of_kinds(facts, ANSWERS)
            rows = rows.filter(pc.is_in(rows["after_sale_id"], value_set=cases))
            for buyer, case, kind, fen, order, at in zip(
                *(rows[name].to_pylist() for name in names),
                micros_of(rows["recorded_at"]).tolist(),
                strict=True,
            ):
                found.setdefault((buyer, case), []).append((at, kind, fen or 0, order))
        return found


def of_kinds(facts: pa.Table, kinds: tuple[str, ...]) -> pa.Table:
    """Keep the events of some kinds."""
    return facts.filter(pc.is_in(facts["kind"], value_set=pa.array(kinds)))
