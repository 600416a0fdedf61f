"""The sequential loop: request after request through the very path of the service, state in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from decisions.caps import DayLosses, Fact, Ledger
from decisions.engine import Decision
from decisions.policy import Policy
from decisions.request import OrderEvidence, RefundRequest, ShopEvidence
from models.deciding.moving import Moving
from models.deciding.path import Ahead, Evidence, decide_next
from models.deciding.record import Case, row_of
from models.deciding.row import DecisionRow
from models.deciding.using import Used
from models.evidence import BuyerAssessment

from .book import Book, Grant, Heard
from .instants import instant, micros
from .known import Answered, Known, Turn
from .nights import Moves, Nights, Scorer, hear

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
        shops: Mapping[str, ShopEvidence] | None = {} if policy.needs_shop else None
        self._ahead = Ahead(policy, None, Moving(policy), book.tiers, shops)
        self._nights = Nights(policy, happenings, book)

    def decide(self, turns: Iterable[Turn], model: Scorer, made: Moves) -> list[DecisionRow]:
        """Decide, and sweep on the nights between; the moves of standings are added to ``made``."""
        decided = [self._decide(turn, model, made) for turn in turns]
        return [row_of(case, decision, digest=b"") for case, decision in decided]  # apart: less code at once

    def pass_nights(self, until: int, model: Scorer, made: Moves) -> None:
        """Sweep on the nights before an instant, after the last request that comes before it."""
        self._pass_until(until - 1, model, made)

    def _pass_until(self, at: int, model: Scorer, made: Moves) -> None:
        self._nights.pass_until(at, model, made)
        if self.policy.needs_shop:
            self._ahead.shops = self.happenings.shops(self.book.swept)

    def _decide(self, turn: Turn, model: Scorer, made: Moves) -> tuple[Case, Decision]:
        request, book = turn.request, self.book
        buyer_id, at = request.buyer_id, request.requested_at
        if at >= self._nights.due:
            self._pass_until(micros(at), model, made)
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
        return hear(book, buyer_id, self.happenings.signals_before(turn, heard))

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

    def tell_rest(self, facts: Iterable[tuple[str, Sequence[Fact]]]) -> None:
        """Tell ledgers, at a month's end, what no request has met; then the counting begins anew."""
        if self._keeps_ledgers:
            for buyer_id, rest in facts:
                ledger = self.book.ledgers.get(buyer_id) or Ledger()
                for fact in rest:
                    ledger = ledger.told(fact)
                self.book.ledgers[buyer_id] = ledger
            self.book.told.clear()

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
        if self.happenings.refused_and_disputed(case):
            self.book.undisputed[case] = None
        if self.happenings.asked_again(order.order_id):
            grant = Grant(case, request.buyer_id, fen, order.paid_amount_fen)
            self.book.grants.setdefault(order.order_id, []).append(grant)
        if self._keeps_losses and (at := self.happenings.found_at(case)) is not None:
            if at < micros(request.requested_at):
                self._lost(order.shop_id, fen, at=at)
            else:
                self.book.refunded[case] = (order.shop_id, fen)

    def _order(self, turn: Turn) -> OrderEvidence:
        """Add to what the log says of the order what earlier decisions refunded and the log has not heard.

        A refusal or withdrawal of what was refunded at once never came: the money was paid.
        """
        order, request = turn.order, turn.request
        grants = self.book.grants.get(request.order.order_id)
        if not grants:
            return order
        at, unheard, paid = micros(request.requested_at), 0, []
        for grant in grants:
            own = grant.buyer_id == request.buyer_id
            told = sum(
                fen
                for when, kind, fen, of in self._answers(grant)
                if when < at and kind == "refund_granted" and own and of == request.order.order_id
            )
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
