"""The pure path of a decision: rules alone under the notice, then with usage, budgets and standing as well.

``python -m benchmarks.decide``. Processor time of short rounds, the best of many, so that a busy machine
disturbs little.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from decisions.caps import DayLosses, Fact, Ledger
from decisions.engine import decide
from decisions.policy import NOTICE
from decisions.policy_file import parse
from decisions.request import BuyerEvidence, Order, OrderEvidence, RefundRequest
from decisions.standing import FRESH, Signal
from decisions.standing_machine import advance

ROUNDS: Final = 400
CALLS: Final = 100
NOW: Final = datetime(2026, 9, 6, 12, tzinfo=UTC)
DAY: Final = timedelta(days=1)
GUARDED: Final = parse(
    """
    version = "everything-on"
    shop.max_tracking_lag_p90_hours = 24
    caps = {refunds_per_day = 2, fen_per_7_days = 60_000, refunds_per_30_days = 6}
    open_cases.one_at_a_time = true
    credit_line.quality = 60_000
    budgets = {shop_loss_fen_per_7_days = 500_000, platform_loss_fen_per_day = 10_000_000}
    standing = {watch_points = 2, strike_half_life_days = 30, points = {dispute_lost = 2}}
    """,
    source="benchmark",
)
ORDER: Final = Order(
    order_id="o1",
    shop_id="s1",
    category_id="c1",
    goods_type="physical",
    paid_amount_fen=20_000,
    paid_at=NOW - DAY,
    shipping_status="unshipped",
)
REQUEST: Final = RefundRequest(
    after_sale_id="a1",
    buyer_id="b1",
    refund_type="refund_only",
    refund_amount_fen=10_000,
    requested_at=NOW,
    reason=None,
    order=ORDER,
)
BUYER: Final = BuyerEvidence(
    score=800.0, p_abuse=0.002, completed_orders=12, tenure_days=200.0, abuse_confirmed=False
)
UNHEARD: Final = OrderEvidence(shipped=False, refunded_fen=0, paid_amount_fen=None)


def ways() -> dict[str, Callable[[], object]]:
    """Lay out a buyer on watch with three settled refunds in 30 days, and losses on each of them."""
    ledger, losses = Ledger(), DayLosses()
    for n in range(1, 28, 9):
        at = NOW - n * DAY
        ledger = ledger.told(Fact(kind="granted", after_sale_id=f"x{n}", at=at, fen=5_000))
        ledger = ledger.told(Fact(kind="closed", after_sale_id=f"x{n}", at=at))
    for n in range(30):
        losses = losses.lost(NOW - n * DAY, 7)
    strike = Signal(signal_id="d1", kind="dispute_lost", at=NOW - 4 * DAY)
    watched, _ = advance(FRESH, [strike], GUARDED, NOW)

    def notice() -> object:
        return decide(REQUEST, buyer=BUYER, order=UNHEARD, policy=NOTICE, decided_at=NOW)

    def everything() -> object:
        lost = losses.losses(NOW)
        standing, _ = advance(watched, (), GUARDED, NOW)
        usage = ledger.usage(NOW, own="a1", shop=lost, platform=losses.losses(NOW))
        return decide(
            REQUEST,
            buyer=BUYER,
            order=UNHEARD,
            policy=GUARDED,
            decided_at=NOW,
            usage=usage,
            standing=standing,
        )

    return {"notice": notice, "everything on": everything}


def microseconds(way: Callable[[], object]) -> float:
    """Give the processor time of one call."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time_ns()
        for _ in range(CALLS):
            way()
        best = min(best, (time.process_time_ns() - start) / CALLS / 1000)
    return best


if __name__ == "__main__":
    for name, way in ways().items():
        print(f"{name:14} {microseconds(way):6.1f} µs")
