"""A request that passes every rule of the notice, and what may be changed about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from decisions.engine import Decision, decide
from decisions.policy import NOTICE, Policy
from decisions.request import BuyerEvidence, Order, OrderEvidence, RefundRequest

NOW = datetime(2026, 9, 6, 12, tzinfo=UTC)
ORDER = Order(
    order_id="o1",
    shop_id="s1",
    category_id="c1",
    goods_type="physical",
    paid_amount_fen=20_000,
    paid_at=NOW - timedelta(hours=1),
    shipping_status="unshipped",
)
REQUEST = RefundRequest(
    after_sale_id="a1",
    buyer_id="b1",
    refund_type="refund_only",
    refund_amount_fen=10_000,
    requested_at=NOW,
    reason=None,
    order=ORDER,
)
GOOD = BuyerEvidence(
    score=800.0, p_abuse=0.002, completed_orders=12, tenure_days=200.0, abuse_confirmed=False
)
UNKNOWN_ORDER = OrderEvidence(shipped=False, refunded_fen=0, paid_amount_fen=None)


def decided(
    *, policy: Policy = NOTICE, order: dict[str, Any] | None = None, asked_at: datetime = NOW, **evidence: Any
) -> Decision:
    request = replace(REQUEST, requested_at=asked_at, order=replace(ORDER, **(order or {})))
    request = replace(request, order=replace(request.order, paid_at=min(asked_at, ORDER.paid_at)))
    known = {"buyer": GOOD, "order": UNKNOWN_ORDER, **evidence}
    return decide(request, policy=policy, decided_at=NOW, **known)


def failed(decision: Decision) -> set[str]:
    return {v.code for v in decision.rules if not v.passed}


def detail(decision: Decision, code: str) -> str:
    (verdict,) = (v for v in decision.rules if v.code == code)
    return verdict.detail
