"""The sequential loop: request after request through the very path of the service, state in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from decisions.caps import DayLosses, Ledger
from decisions.engine import Decision
from decisions.policy import Policy
from decisions.request import OrderEvidence, RefundRequest, ShopEvidence
from decisions.standing import Transition
from decisions.standing_machine import advance
from models.deciding.moving import Moving
from models.deciding.path import Ahead, Evidence, Model, decide_next
from models.deciding.record import Case, row_of
from models.deciding.row import DecisionRow
from models.deciding.using import Used
from models.evidence import BuyerAssessment

from .book import NOTHING_HEARD, Book, Grant, Heard
from .happenings import Happenings
from .instants import instant, micros
from .known import Answered, Known, Turn

Moves = list[tuple[str, Transition]]
_NO_VECTOR: Final = np.empty(0)
"""Decisions are kept without the vectors, which are the run's features."""


class Loop:
    """Decides requests in order under one policy.

    Parameters
    ----------
    policy : Policy
    happenings : Known
    book : Book
        The state to begin with; moved on by every decision.
    """

    def __init__(self, policy: Policy, happenings: Known, book: Book) -> None:
        self.policy, self.happenings, self.book = policy, happenings, book
        self._keeps_ledgers = policy.needs_ledger
        self._keeps_losses = "budget" in policy.asks
        shops: dict[str, ShopEvidence] | None = {} if policy.needs_shop else None
        self._ahead = Ahead(policy, None, Moving(policy), book.tiers, shops)

    def decide(self, turns: Iterable[Turn], model: Model, made: Moves) -> list[DecisionRow]:
        """Decide; the moves of standings are added to ``made``."""
        decided = [self._decide(turn, model, made) for turn in turns]
        return [row_of(case, decision, digest=b"") for case, decision in decided]  # apart: less code at once

    def _decide(self, turn: Turn, model: Model, made: Moves) -> tuple[Case, Decision]:
        request, book = turn.request, self.book
        buyer_id, at = request.buyer_id, request.requested_at
        heard, ahead = self._heard(turn), self._ahead
        ahead.used = self._used(turn)
        buyer = BuyerAssessment(buyer_id, at, _NO_VECTOR, turn.buyer)
        evidence = Evidence(buyer, self._order(turn), None, heard, model)
        case, decision = decide_next(request, evidence, ahead, decided_at=at)
        for moved in ahead.standings.drained():
            book.standings[buyer_id] = moved.standing
            made += [(buyer_id, transition) for transition in moved.transitions]
        if self._keeps_ledgers and ahead.used is not None:
            book.ledgers[buyer_id] = ahead.used.ledgers[buyer_id]
        if decision.outcome == "auto_refund":
            self._granted(request)
        return case, decision

    def _heard(self, turn: Turn) -> Heard:
        buyer_id, book = turn.request.buyer_id, self.book
        heard = book.heard.get(buyer_id, 0)
        new = self.happenings.signals_before(turn, heard)
        if new:
            book.heard[buyer_id] = heard + len(new)
        standing = book.standings.get(buyer_id)
        return Heard(standing, new or None) if new or standing is not None else NOTHING_HEARD

    def _used(self, turn: Turn) -> Used | None:
        if not self.policy.needs_usage:
            return None
        request, used = turn.request, Used()
        if self._keeps_ledgers:
            used.ledgers[request.buyer_id] = self._ledger(turn)
        if self._keeps_losses:
            self._lose(until=micros(request.requested_at))
            shop = request.order.shop_id
            used.shops[shop] = self.book.shops.get(shop, DayLosses())
            used.platform = self.book.platform
        return used

    def _ledger(self, turn: Turn) -> Ledger:
        buyer_id, book = turn.request.buyer_id, self.book
        ledger, told = book.ledgers.get(buyer_id) or Ledger(), book.told.get(buyer_id, 0)
        facts = self.happenings.facts_before(turn, told)
        for fact in facts:
            ledger = ledger.told(fact)
        book.told[buyer_id] = told + len(facts)
        return ledger

    def _lose(self, *, until: int) -> None:
        book = self.book
        for at, case in self.happenings.losses_before(until, book.lost):
            book.lost += 1
            if (refund := book.refunded.pop(case, None)) is not None:
                self._lost(*refund, at=at)

    def _lost(self, shop: str, fen: int, *, at: int) -> None:
        book, when = self.book, instant(at)
        book.shops[shop] = book.shops.get(shop, DayLosses()).lost(when, fen)
        book.platform = book.platform.lost(when, fen)

    def _granted(self, request: RefundRequest) -> None:
        order, case, fen = request.order, request.after_sale_id, request.refund_amount_fen
        if self.happenings.asked_again(order.order_id):
            grant = Grant(case, request.buyer_id, fen, order.paid_amount_fen)
            self.book.grants.setdefault(order.order_id, []).append(grant)
        if self._keeps_losses and (at := self.happenings.found_at(case)) is not None:
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

    def _answers(self, grant: Grant) -> Sequence[Answered]:
        return self.happenings.answers(grant.buyer_id, grant.after_sale_id)


def sweep(policy: Policy, happenings: Happenings, book: Book, *, until: int, made: Moves) -> None:
    """Move every standing on to the end, as the service's sweep does: also of who never asks again.

    Parameters
    ----------
    book : Book
        Of a loop over the history that the happenings are of; moved on.
    made : list
        The moves are added to it.
    """
    told, all_signals = happenings.standing
    recorded = told.events["recorded_at"].cast(pa.int64()).to_numpy()
    now = instant(until)
    for buyer_id, end in told.end.items():
        begin = told.begin[buyer_id] + book.heard.get(buyer_id, 0)
        end = begin + int(np.searchsorted(recorded[begin:end], until, side="left"))
        standing = book.standings.get(buyer_id)
        if begin == end and (standing is None or standing.until is None):
            continue
        heard = Heard(standing, all_signals[begin:end])
        moved, transitions = advance(heard.standing(), heard.told(now), policy, now)
        book.standings[buyer_id], book.heard[buyer_id] = moved, end - told.begin[buyer_id]
        made += [(buyer_id, transition) for transition in transitions]
