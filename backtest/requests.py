"""Refund requests of a history, as an after-sale system would have sent them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import Order, RefundRequest, RefundType, ShippingStatus
from features.events import TIMESTAMP

_NEEDED: Final = ("after_sale_id", "order_id", "shop_id", "amount_fen")


@dataclass(frozen=True, kw_only=True)
class Requests:
    """The requests in the order in which they came, and how many could not be rebuilt."""

    items: tuple[RefundRequest, ...]
    incomplete: int


def refund_requests(events: pa.Table, *, since: datetime, until: datetime) -> Requests:
    """Rebuild the requests that became known in ``[since, until)``.

    The merchant back end's answer is what the log had recorded by then: ``shipped`` once the tracking
    number was entered. A request without its order's payment, goods type, shop or amount is counted as
    incomplete.

    Parameters
    ----------
    events : pa.Table
        Columns of `features.events.SCHEMA`.
    """
    recorded, kind = events["recorded_at"], events["kind"]
    in_time = pc.and_(
        pc.greater_equal(recorded, pa.scalar(since, TIMESTAMP)),
        pc.less(recorded, pa.scalar(until, TIMESTAMP)),
    )
    asked = events.filter(pc.and_(in_time, pc.equal(kind, "refund_requested")))
    asked = asked.sort_by([("recorded_at", "ascending"), ("event_id", "ascending")])
    orders = asked["order_id"].unique()
    paid, shipped = (_first_by_order(events, name, orders) for name in ("order_paid", "order_shipped"))
    rows = asked.to_pylist()
    built = [_request(row, paid.get(row["order_id"]), shipped.get(row["order_id"])) for row in rows]
    items = tuple(request for request in built if request is not None)
    return Requests(items=items, incomplete=len(rows) - len(items))


def _first_by_order(events: pa.Table, kind: str, orders: pa.Array) -> dict[str, dict[str, Any]]:
    wanted = pc.and_(pc.equal(events["kind"], kind), pc.is_in(events["order_id"], value_set=orders))
    rows = events.filter(wanted).sort_by([("recorded_at", "descending")])
    return {row["order_id"]: row for row in rows.to_pylist()}


def _request(
    row: dict[str, Any], paid: dict[str, Any] | None, shipped: dict[str, Any] | None
) -> RefundRequest | None:
    if paid is None or any(row[name] is None for name in _NEEDED):
        return None
    goods_type = paid["goods_type"] or row["goods_type"]
    if goods_type is None or not 0 < row["amount_fen"] <= (paid["amount_fen"] or 0):
        return None
    is_shipped = shipped is not None and shipped["recorded_at"] < row["recorded_at"]
    status: ShippingStatus = "shipped" if is_shipped else "unshipped"
    kind: RefundType = "return_and_refund" if row["stage"] == "after_shipment" else "refund_only"
    return RefundRequest(
        after_sale_id=row["after_sale_id"],
        buyer_id=row["buyer_id"],
        refund_type=kind,
        refund_amount_fen=row["amount_fen"],
        requested_at=row["recorded_at"],
        reason=row["reason"],
        order=Order(
            order_id=row["order_id"],
            shop_id=row["shop_id"],
            category_id=row["category_id"],
            goods_type=goods_type,
            paid_amount_fen=paid["amount_fen"],
            paid_at=paid["occurred_at"],
            shipping_status=status,
        ),
    )
