"""The sequential loop: request after request through the very path of the service, state in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from decisions.caps import DayLosses, Fact, Ledger
from decisions.policy import Policy
from decisions.request import BuyerEvidence, OrderEvidence, RefundRequest, ShopEvidence
from decisions.standing import Signal, Transition
from decisions.standing_machine import advance
from models.deciding.moving import Moving
from models.deciding.path import Ahead, Evidence, Model, decide_next
from models.deciding.row import DecisionRow
from models.deciding.using import Used
from models.evidence import BuyerAssessment

from .book import NOTHING_HEARD, Book, Grant, Heard
from .facts import SIGNALS, Told, ledger_facts, signals
from .history import ANSWERS, History
from .instants import instant, micros

LEDGER_RULES: Final = {"caps", "open_case", "credit_line"}
Moves = list[tuple[str, Transition]]


@dataclass(slots=True)
class Turn:
    """One request with what is known when it comes; ``place`` is its row among the history's requests."""

    place: int
    request: RefundRequest
    order: OrderEvidence
    buyer: BuyerEvidence
    vector: npt.NDArray[np.float64]


class Happenings:
    """What happens between the requests of a history, shared by the policies that are replayed on it."""

    def __init__(self, history: History) -> None:
        self._history = history

    @cached_property
    def ledger(self) -> tuple[Told, list[Fact]]:
        """What ledgers are told."""
        kinds = ("refund_requested", *ANSWERS)
        told = Told.of(self._history.facts, self._history.requests, kinds, cases=True)
        return told, ledger_facts(told)

    @cached_property
    def standing(self) -> tuple[Told, list[Signal | None]]:
        """What standings hear."""
        told = Told.of(self._history.facts, self._history.requests, SIGNALS, cases=False)
        return told, signals(told)

    @cached_property
    def losses(self) -> list[tuple[int, str]]:
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
    def found_at(self) -> dict[str, int]:
        """When each of them became known."""
        return {case: at for at, case in self.losses}

    @cached_property
    def _asker(self) -> dict[str, str]:
        requests = self._history.requests
        return dict(zip(requests["after_sale_id"].to_pylist(), requests["buyer_id"].to_pylist(), strict=True))

    @cached_property
    def asked_again(self) -> frozenset[str]:
        """Orders that are asked about more than once."""
        counts = pc.value_counts(self._history.requests["order_id"].combine_chunks())
        return frozenset(counts.filter(pc.greater(counts.field("counts"), 1)).field("values").to_pylist())

    @cached_property
    def answers(self) -> dict[tuple[str, str], list[tuple[int, str, int, str | None]]]:
        """Answers to requests about orders in `asked_again`, by buyer and after-sale."""
        facts = self._history.facts
        wanted = pc.and_(
            pc.is_in(facts["kind"], value_set=pa.array(ANSWERS)),
            pc.is_in(
                facts["after_sale_id"],
                value_set=self._history.requests.filter(
                    pc.is_in(
                        self._history.requests["order_id"],
                        value_set=pa.array(sorted(self.asked_again), pa.string()),
                    )
                )["after_sale_id"],
            ),
        )
        rows = facts.filter(wanted)
        found: dict[tuple[str, str], list[tuple[int, str, int, str | None]]] = {}
        names = ("buyer_id", "after_sale_id", "kind", "amount_fen", "order_id")
        for buyer, case, kind, fen, order, at in zip(
            *(rows[name].to_pylist() for name in names),
            rows["recorded_at"].cast(pa.int64()).to_pylist(),
            strict=True,
        ):
            found.setdefault((buyer, case), []).append((at, kind, fen or 0, order))
        return found


class Loop:
    """Decides the requests of a history, in order, under one policy.

    Parameters
    ----------
    policy : Policy
    happenings : Happenings
    book : Book
        The state to begin with; moved on by every decision.
    """

    def __init__(self, policy: Policy, happenings: Happenings, book: Book) -> None:
        self.policy, self.happenings, self.book = policy, happenings, book
        self._keeps_ledgers = bool(policy.asks & LEDGER_RULES)
        self._keeps_losses = "budget" in policy.asks
        self._told, self._signals = happenings.standing
        shops: dict[str, ShopEvidence] | None = {} if policy.needs_shop else None
        self._ahead = Ahead(policy, None, Moving(policy), book.tiers, shops)

    def decide(self, turns: Iterable[Turn], model: Model, made: Moves) -> list[DecisionRow]:
        """Decide; the moves of standings are added to ``made``."""
        return [self._decide(turn, model, made) for turn in turns]

    def _decide(self, turn: Turn, model: Model, made: Moves) -> DecisionRow:
        request, book = turn.request, self.book
        buyer_id, at = request.buyer_id, request.requested_at
        heard = self._heard(buyer_id, self._told.known_by[turn.place])
        ahead = self._ahead
        ahead.used = self._used(turn)
        buyer = BuyerAssessment(buyer_id, at, turn.vector, turn.buyer)
        evidence = Evidence(buyer, self._order(turn), None, heard, model)
        _, row = decide_next(request, evidence, ahead, decided_at=at, digest=b"")
        for moved in ahead.standings.drained():
            book.standings[buyer_id] = moved.standing
            made += [(buyer_id, transition) for transition in moved.transitions]
        if self._keeps_ledgers and ahead.used is not None:
            book.ledgers[buyer_id] = ahead.used.ledgers[buyer_id]
        if row.outcome == "auto_refund":
            self._granted(request)
        return row

    def _heard(self, buyer_id: str, known_by: int) -> Heard:
        book, new = self.book, None
        begin = book.heard.get(buyer_id) or self._told.begin[buyer_id]
        if begin < known_by:
            new = self._signals[begin:known_by]
            book.heard[buyer_id] = known_by
        standing = book.standings.get(buyer_id)
        return NOTHING_HEARD if standing is None and new is None else Heard(standing, new)

    def _used(self, turn: Turn) -> Used | None:
        if not self.policy.needs_usage:
            return None
        request, used = turn.request, Used()
        if self._keeps_ledgers:
            used.ledgers[request.buyer_id] = self._ledger(request.buyer_id, turn.place)
        if self._keeps_losses:
            self._lose(until=micros(request.requested_at))
            shop = request.order.shop_id
            used.shops[shop] = self.book.shops.get(shop, DayLosses())
            used.platform = self.book.platform
        return used

    def _ledger(self, buyer_id: str, place: int) -> Ledger:
        told, facts = self.happenings.ledger
        known_by, book = told.known_by[place], self.book
        ledger = book.ledgers.get(buyer_id) or Ledger()
        begin = book.told.get(buyer_id, told.begin[buyer_id])
        for row in range(begin, known_by):
            ledger = ledger.told(facts[row])
        book.told[buyer_id] = known_by
        return ledger

    def _lose(self, *, until: int) -> None:
        losses, book = self.happenings.losses, self.book
        while book.lost < len(losses) and losses[book.lost][0] < until:
            at, case = losses[book.lost]
            book.lost += 1
            if (refund := book.refunded.pop(case, None)) is not None:
                self._lost(*refund, at=at)

    def _lost(self, shop: str, fen: int, *, at: int) -> None:
        book, when = self.book, instant(at)
        book.shops[shop] = book.shops.get(shop, DayLosses()).lost(when, fen)
        book.platform = book.platform.lost(when, fen)

    def _granted(self, request: RefundRequest) -> None:
        order, case, fen = request.order, request.after_sale_id, request.refund_amount_fen
        if order.order_id in self.happenings.asked_again:
            grant = Grant(case, request.buyer_id, fen, order.paid_amount_fen)
            self.book.grants.setdefault(order.order_id, []).append(grant)
        if self._keeps_losses and (at := self.happenings.found_at.get(case)) is not None:
            if at < micros(request.requested_at):
                self._lost(order.shop_id, fen, at=at)
            else:
                self.book.refunded[case] = (order.shop_id, fen)

    def _order(self, turn: Turn) -> OrderEvidence:
        """Add to what the log says of the order what earlier decisions refunded and the log has not heard."""
        order, request = turn.order, turn.request
        grants = self.book.grants.get(request.order.order_id)
        if not grants:
            return order
        at, unheard, paid = micros(request.requested_at), 0, []
        for grant in grants:
            heard = [a for a in self._answers(grant) if a[0] < at]
            if all(kind == "refund_granted" for _, kind, _, _ in heard):
                own = grant.buyer_id == request.buyer_id
                told = sum(fen for _, _, fen, of in heard if own and of == request.order.order_id)
                unheard += max(grant.fen - told, 0)
                paid.append(grant.paid_amount_fen)
        known = order.paid_amount_fen
        return replace(
            order,
            refunded_fen=order.refunded_fen + unheard,
            paid_amount_fen=min(paid, default=None) if known is None else known,
        )

    def _answers(self, grant: Grant) -> list[tuple[int, str, int, str | None]]:
        return self.happenings.answers.get((grant.buyer_id, grant.after_sale_id), [])

    def sweep(self, until: int, made: Moves, *, on_buyer: Callable[[], None] = lambda: None) -> None:
        """Move every standing on to the end, as the service's sweep does: also of who never asks again."""
        told, all_signals = self._told, self._signals
        recorded = told.events["recorded_at"].cast(pa.int64()).to_numpy()
        now = instant(until)
        for buyer_id, end in told.end.items():
            begin = self.book.heard.get(buyer_id, told.begin[buyer_id])
            end = begin + int(np.searchsorted(recorded[begin:end], until, side="left"))
            standing = self.book.standings.get(buyer_id)
            if begin == end and (standing is None or standing.until is None):
                continue
            heard = Heard(standing, all_signals[begin:end])
            moved, transitions = advance(heard.standing(), heard.told(now), self.policy, now)
            self.book.standings[buyer_id], self.book.heard[buyer_id] = moved, end
            made += [(buyer_id, transition) for transition in transitions]
            on_buyer()
