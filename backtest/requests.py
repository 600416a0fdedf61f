"""Refund requests of a history, as an after-sale system would have sent them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import GoodsType, Order, RefundRequest
from features.events import TIMESTAMP

from .instants import instants

SCHEMA: Final = pa.schema(
    [
        ("after_sale_id", pa.string()),
        ("buyer_id", pa.string()),
        ("refund_type", pa.string()),
        ("refund_amount_fen", pa.int64()),
        ("requested_at", TIMESTAMP),
        ("reason", pa.string()),
        ("order_id", pa.string()),
        ("shop_id", pa.string()),
        ("category_id", pa.string()),
        ("goods_type", pa.string()),
        ("paid_amount_fen", pa.int64()),
        ("paid_at", TIMESTAMP),
        ("shipping_status", pa.string()),
    ]
)
"""The requests as columns, in the order in which they came."""

IN_TIME: Final = [("recorded_at", "ascending"), ("occurred_at", "ascending"), ("event_id", "ascending")]


@dataclass(frozen=True, kw_only=True)
class Requests:
    """The requests in the order in which they came, and how many could not be rebuilt."""

    items: tuple[RefundRequest, ...]
    incomplete: int


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The same as a table (`SCHEMA`); ``repeated`` are whole requests of after-sales that had one before."""

    table: pa.Table
    incomplete: int
    repeated: int


def refund_requests(events: pa.Table, *, since: datetime, until: datetime) -> Requests:
    """Rebuild the requests that became known in ``[since, until)``; what was asked before is repeated there.

    Parameters
    ----------
    events : pa.Table
        Columns of `features.events.SCHEMA`.
    """
    asking = events.filter(pc.equal(events["kind"], "refund_requested"))
    earlier = request_table(between(asking, None, since), events)
    before = earlier.table["after_sale_id"].combine_chunks()
    found = request_table(between(asking, since, until), events, before=before)
    return Requests(items=tuple(as_requests(found.table)), incomplete=found.incomplete + found.repeated)


def between(events: pa.Table, since: datetime | None, until: datetime) -> pa.Table:
    """Keep what was recorded in ``[since, until)``, in the order in which it became known."""
    recorded = events["recorded_at"]
    in_time = pc.less(recorded, pa.scalar(until, TIMESTAMP))
    if since is not None:
        in_time = pc.and_(in_time, pc.greater_equal(recorded, pa.scalar(since, TIMESTAMP)))
    return events.filter(in_time).sort_by(IN_TIME)


def request_table(
    asking: pa.Table,
    events: pa.Table,
    *,
    goods: GoodsType | None = None,
    before: pa.Array | None = None,
) -> Asked:
    """Rebuild requests from the events that ask and those of their orders.

    The merchant back end's answer is what the log had recorded by then: ``shipped`` once the tracking number
    was entered. A request without its order's payment, goods type, shop or amount is incomplete: the service
    would refuse to read it, so the first one of an after-sale that is whole is the one to decide.

    Parameters
    ----------
    asking : pa.Table
        `refund_requested` events, ordered by `IN_TIME`.
    events : pa.Table
        At least all `order_paid` and `order_shipped` events of their orders.
    goods : str, optional
        What orders hold of which the log does not say it.
    before : pa.Array, optional
        After-sales whose request was rebuilt already: to ask for them is to ask again.
    """
    paid, shipped = (_first_of_orders(events, kind) for kind in ("order_paid", "order_shipped"))
    at, left = (pc.index_in(asking["order_id"], value_set=t["order_id"]) for t in (paid, shipped))
    of_payment = {name: paid[name].take(at) for name in ("goods_type", "amount_fen", "occurred_at")}
    otherwise = pa.scalar(goods, pa.string())
    is_shipped = pc.fill_null(pc.less(shipped["recorded_at"].take(left), asking["recorded_at"]), False)
    table = pa.table(
        {
            "after_sale_id": asking["after_sale_id"],
            "buyer_id": asking["buyer_id"],
            "refund_type": pc.if_else(
                pc.fill_null(pc.equal(asking["stage"], "after_shipment"), False),
                "return_and_refund",
                "refund_only",
            ),
            "refund_amount_fen": asking["amount_fen"],
            "requested_at": asking["recorded_at"],
            "reason": asking["reason"],
            "order_id": asking["order_id"],
            "shop_id": asking["shop_id"],
            "category_id": asking["category_id"],
            "goods_type": pc.coalesce(of_payment["goods_type"], asking["goods_type"], otherwise),
            "paid_amount_fen": of_payment["amount_fen"],
            "paid_at": of_payment["occurred_at"],
            "shipping_status": pc.if_else(is_shipped, "shipped", "unshipped"),
        },
        schema=SCHEMA,
    )
    whole = table.filter(pa.array(_is_whole(table)))
    new = _is_first(whole["after_sale_id"])
    if before is not None:
        new &= ~pc.is_in(whole["after_sale_id"], value_set=before).to_numpy()
    incomplete, repeated = len(table) - len(whole), len(whole) - int(new.sum())
    return Asked(table=whole.filter(pa.array(new)), incomplete=incomplete, repeated=repeated)


def _is_first(after_sales: pa.ChunkedArray) -> np.ndarray:
    codes = after_sales.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    first = np.zeros(len(codes), bool)
    first[np.unique(codes, return_index=True)[1]] = True
    return first


def _first_of_orders(events: pa.Table, kind: str) -> pa.Table:
    """Give the first event of a kind of each order."""
    rows = events.filter(pc.equal(events["kind"], kind)).sort_by([("order_id", "ascending"), *IN_TIME])
    return rows.filter(pa.array(_is_first(rows["order_id"])))


def _is_whole(table: pa.Table) -> np.ndarray:
    fen, paid = (pc.fill_null(table[name], 0).to_numpy() for name in ("refund_amount_fen", "paid_amount_fen"))
    found = (fen > 0) & (fen <= paid)
    for name in ("after_sale_id", "order_id", "shop_id", "goods_type"):
        found &= pc.is_valid(table[name]).to_numpy()
    return np.asarray(found)


def as_requests(table: pa.Table) -> Iterator[RefundRequest]:
    """Make the requests of the rows of a table (`SCHEMA`)."""
    columns = (
        instants(column) if column.type == TIMESTAMP else column.to_pylist()
        for column in table.select(SCHEMA.names).columns
    )
    for case, buyer, kind, fen, at, reason, order, shop, category, goods, paid, paid_at, status in zip(
        *columns, strict=True
    ):
        ordered = Order(order, shop, category, goods, paid, paid_at, status)
        yield RefundRequest(case, buyer, kind, fen, at, reason, ordered)
