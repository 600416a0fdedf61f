"""What is measured of shops, by which a policy may scope: a row a shop, measured anew at night."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Final

from decisions.request import ShopEvidence

if TYPE_CHECKING:
    from .database import Connection

SECONDS: Final = 3600.0
"""The whole log of some months is read."""
WINDOW_DAYS: Final = 90
PROMISED_HOURS: Final = 48
"""The log does not tell what a shop promised; this is what platforms demand."""
LEAST_ORDERS: Final = 20
"""A figure that rests on fewer is not known."""
MEASURE: Final = f"""
WITH recent AS MATERIALIZED (
    SELECT buyer_id, kind, occurred_at, recorded_at, order_id, shop_id, goods_type FROM events
    WHERE recorded_at >= $1::timestamptz - interval '{WINDOW_DAYS} days' AND recorded_at < $1
    AND kind IN ('order_paid', 'order_shipped', 'order_completed', 'refund_requested', 'refund_granted',
        'dispute_opened') AND order_id IS NOT NULL
), paid AS (
    SELECT shop_id, buyer_id, order_id, min(occurred_at) + interval '{PROMISED_HOURS} hours' AS due_at,
        bool_or(goods_type = 'virtual') IS TRUE AS virtual
    FROM recent WHERE kind = 'order_paid' AND shop_id IS NOT NULL GROUP BY 1, 2, 3
), shipped AS (
    SELECT buyer_id, order_id, min(occurred_at) AS left_at, min(recorded_at) AS told_at FROM recent
    WHERE kind = 'order_shipped' GROUP BY 1, 2
), ended AS (
    SELECT buyer_id, order_id, bool_or(kind = 'order_completed') AS arrived,
        min(occurred_at) FILTER (WHERE kind <> 'order_completed') AS undone_at
    FROM recent WHERE kind IN ('order_completed', 'refund_requested', 'refund_granted') GROUP BY 1, 2
), disputed AS (
    SELECT DISTINCT buyer_id, order_id, true AS was FROM recent WHERE kind = 'dispute_opened'
), judged AS (
    SELECT shop_id, left_at, told_at, was, left_at > due_at AS left_late,
        left_at IS NULL AND due_at < $1 AND NOT virtual AND arrived IS NOT TRUE
            AND (undone_at IS NULL OR undone_at > due_at) AND EXISTS (SELECT FROM shipped) AS overdue
    FROM paid LEFT JOIN shipped USING (buyer_id, order_id) LEFT JOIN ended USING (buyer_id, order_id)
    LEFT JOIN disputed USING (buyer_id, order_id)
), counted AS (
    SELECT shop_id, count(*) AS orders, count(left_at) AS parcels,
        count(*) FILTER (WHERE left_late OR overdue) AS late,
        count(*) FILTER (WHERE left_at IS NOT NULL OR overdue) AS timed,
        percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM told_at - left_at)::float8) / 3600
            AS tracking_lag_p90_hours,
        count(was) AS disputes
    FROM judged GROUP BY 1
), fresh AS (
    SELECT shop_id, orders,
        CASE WHEN timed >= {LEAST_ORDERS} THEN late::float8 / timed END AS late_ship_rate,
        CASE WHEN parcels >= {LEAST_ORDERS} THEN tracking_lag_p90_hours END AS tracking_lag_p90_hours,
        CASE WHEN orders >= {LEAST_ORDERS} THEN disputes::float8 / orders END AS dispute_rate
    FROM counted
), gone AS (
    DELETE FROM shop_figures AS f WHERE NOT EXISTS (SELECT FROM fresh WHERE fresh.shop_id = f.shop_id)
), kept AS (
    INSERT INTO shop_figures AS f
        (shop_id, measured_at, orders, late_ship_rate, tracking_lag_p90_hours, dispute_rate)
    SELECT shop_id, $1, orders, late_ship_rate, tracking_lag_p90_hours, dispute_rate FROM fresh
    ON CONFLICT (shop_id) DO UPDATE SET measured_at = excluded.measured_at, orders = excluded.orders,
        late_ship_rate = excluded.late_ship_rate, dispute_rate = excluded.dispute_rate,
        tracking_lag_p90_hours = excluded.tracking_lag_p90_hours
    RETURNING 1
)
SELECT count(*) FROM kept
"""
"""Orders paid in the window. Late are those whose parcel left after the promised time or, that time being
over, has not left; they are counted of those that left and those overdue. Never overdue is what is virtual or
has arrived, what the buyer asked to undo by then, and anything in a log that tells of no parcel at all. Then
the hours from a parcel's leaving to its tracking number being known, and the orders in dispute. A shop
without any order is forgotten."""
READ: Final = """
SELECT shop_id, late_ship_rate, tracking_lag_p90_hours, dispute_rate FROM shop_figures
WHERE shop_id = ANY($1)
"""


async def measure(connection: Connection, now: datetime) -> int:
    """Measure every shop by what was recorded in the last months; give how many there are."""
    count: int = await connection.fetchval(MEASURE, now, timeout=SECONDS)
    return count


async def read(connection: Connection, shop_ids: Collection[str]) -> dict[str, ShopEvidence]:
    """Read what was measured last; a shop that was never measured is not among them."""
    rows = await connection.fetch(READ, list(shop_ids))
    return {
        shop_id: ShopEvidence(late_ship_rate=late, tracking_lag_p90_hours=lag, dispute_rate=disputes)
        for shop_id, late, lag, disputes in rows
    }
