"""What is measured of a shop, said slowly: the judge of the service's SQL and of the replay's arrays."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from decisions.request import ShopEvidence
from tests.serving.scenes import event

KINDS = (
    *("order_paid", "order_shipped", "order_completed", "refund_requested", "refund_granted"),
    *("dispute_opened", "refund_rejected"),
)
Row = dict[str, Any]


def measured(rows: list[Row], now: datetime) -> dict[str, ShopEvidence]:
    """Measure every shop that an order of the last 90 days was paid to, order by order."""
    recent = [r for r in rows if now - timedelta(days=90) <= r["recorded_at"] < now and r["order_id"]]
    parcels_told = any(r["kind"] == "order_shipped" for r in recent)
    orders: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in recent:
        if row["kind"] == "order_paid" and row["shop_id"]:
            orders[row["shop_id"], row["buyer_id"], row["order_id"]].append(row)
    shops = defaultdict(list)
    for (shop, buyer, order), payments in orders.items():
        of_order = [r for r in recent if (r["buyer_id"], r["order_id"]) == (buyer, order)]
        shops[shop].append(_judged(payments, of_order, now, parcels_told=parcels_told))
    return {shop: _figures(found) for shop, found in shops.items()}


def _judged(payments: list[Row], of_order: list[Row], now: datetime, *, parcels_told: bool) -> Row:
    def of(*kinds: str) -> list[Row]:
        return [r for r in of_order if r["kind"] in kinds]

    due = min(r["occurred_at"] for r in payments) + timedelta(hours=48)
    left = min((r["occurred_at"] for r in of("order_shipped")), default=None)
    told = min((r["recorded_at"] for r in of("order_shipped")), default=None)
    excused = any(r["goods_type"] == "virtual" for r in payments) or bool(of("order_completed"))
    undone = any(r["occurred_at"] <= due for r in of("refund_requested", "refund_granted"))
    overdue = left is None and parcels_told and due < now and not excused and not undone
    return {
        "lag_s": None if left is None else (told - left) / timedelta(seconds=1),
        "late": overdue or (left is not None and left > due),
        "timed": overdue or left is not None,
        "disputed": bool(of("dispute_opened")),
    }


def _figures(orders: list[Row]) -> ShopEvidence:
    def share(name: str, among: list[Row]) -> float | None:
        return sum(o[name] for o in among) / len(among) if len(among) >= 20 else None

    lags = sorted(o["lag_s"] for o in orders if o["lag_s"] is not None)
    place = 0.9 * (len(lags) - 1)
    low, high = math.floor(place), math.ceil(place)
    p90 = lags[low] + (place - low) * (lags[high] - lags[low]) if len(lags) >= 20 else None
    return ShopEvidence(
        late_ship_rate=share("late", [o for o in orders if o["timed"]]),
        tracking_lag_p90_hours=None if p90 is None else p90 / 3600,
        dispute_rate=share("disputed", orders),
    )


def some_log(seed: int, now: datetime) -> list[Row]:
    """Draw a small log in which every boundary of the definition is met."""
    draw, rows = random.Random(seed), list[Row]()
    hours = [0, 1, 24, 48, 48, 49, 72, 24 * 89, 24 * 90, 24 * 91]
    kinds = [k for k in KINDS if k != "order_shipped" or seed % 5]
    for n in range(draw.randrange(300, 600)):
        occurred = now - timedelta(hours=draw.choice(hours) + draw.choice((0, 0, 24)))
        occurred += timedelta(microseconds=draw.choice((-1, 0, 0, 1, 7_654_321)))
        late = timedelta(microseconds=draw.choice((0, 1, 3_600_000_001, draw.randrange(9_000_000_000))))
        row = event(
            f"e{n}",
            f"b{draw.randrange(2)}",
            draw.choice([*kinds, *3 * ["order_paid"], *12 * kinds[1:2]]),
            occurred,
            order_id=draw.choice([None, *(f"o{n}" for n in range(45))]),
            shop_id=draw.choice([None, "s1", "s1", "s2"]),
            goods_type=draw.choice([None, None, "physical", "virtual"]),
            amount_fen=1,
        )
        rows.append(row | {"recorded_at": occurred + late})
    return rows
