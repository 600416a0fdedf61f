"""Turn parsed lines into events of the log. What the source does not tell is left null or named imputed."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import pyarrow as pa

from features.events import SCHEMA

SHOP: Final = "online-retail-ii"
BEFORE_SHIPMENT: Final = pd.Timedelta(days=2)
"""A cancellation up to two days after the order stands for one before shipment; a later one is a return."""

# The source has one time per invoice: that it was paid at once, known at once, or asked for when it was
# granted is inferred, as are the order of a cancellation and whether the parcel had left.
_IMPUTED: Final = {
    "order_placed": "recorded_at",
    "order_paid": "occurred_at,recorded_at",
    "refund_requested": "occurred_at,recorded_at,order_id,stage",
    "refund_granted": "recorded_at,order_id,stage",
}
# Ties in time are ordered by event_id: the number keeps an order before its payment.
_STEP: Final = {
    "order_placed": "1-placed",
    "order_paid": "2-paid",
    "refund_requested": "1-requested",
    "refund_granted": "2-granted",
}


def events_of(purchases: pd.DataFrame, cancellations: pd.DataFrame) -> pa.Table:
    """Map goods lines to orders, and matched cancellation lines to refunds.

    Parameters
    ----------
    purchases
        Parsed lines; each ``invoice`` becomes ``order_placed`` and ``order_paid``.
    cancellations
        Parsed lines with ``order_id`` and ``ordered_at`` of the matched purchase; each (``invoice``,
        ``order_id``) becomes ``refund_requested`` and ``refund_granted``.

    Returns
    -------
    pyarrow.Table
        The contract's columns, in the order of time.
    """
    orders, refunds = _orders(purchases), _refunds(cancellations)
    parts = [
        *(_events(orders, kind) for kind in ("order_placed", "order_paid")),
        *(_events(refunds, kind) for kind in ("refund_requested", "refund_granted")),
    ]
    table = pa.concat_tables(parts)
    return table.sort_by([(key, "ascending") for key in ("recorded_at", "event_id")])


def _orders(lines: pd.DataFrame) -> pd.DataFrame:
    grouped = lines.assign(fen=lines["quantity"] * lines["price_fen"]).groupby("invoice", observed=True)
    orders = grouped.agg(
        buyer=("buyer", "first"), at=("at", "first"), fen=("fen", "sum"), items=("stock_code", "nunique")
    ).reset_index()
    return orders.assign(key=orders["invoice"].astype(str), order_id=orders["invoice"], case=None, stage=None)


def _refunds(lines: pd.DataFrame) -> pd.DataFrame:
    lines = lines.assign(fen=-lines["quantity"] * lines["price_fen"])
    refunds = (
        lines.groupby(["invoice", "order_id"], observed=True)
        .agg(
            buyer=("buyer", "first"),
            at=("at", "first"),
            ordered_at=("ordered_at", "first"),
            fen=("fen", "sum"),
            items=("stock_code", "nunique"),
        )
        .reset_index()
    )
    case = refunds["invoice"].astype(str) + ":" + refunds["order_id"].astype(str)
    early = refunds["at"] - refunds["ordered_at"] <= BEFORE_SHIPMENT
    stage = early.map({True: "before_shipment", False: "after_shipment"})
    return refunds.assign(key=case, case=case, stage=stage)


def _events(source: pd.DataFrame, kind: str) -> pa.Table:
    columns: dict[str, str | pd.Series[Any]] = {
        "event_id": SHOP + ":" + source["key"] + ":" + _STEP[kind],
        "buyer_id": source["buyer"],
        "kind": kind,
        "occurred_at": source["at"],
        "recorded_at": source["at"],
        "order_id": source["order_id"],
        "after_sale_id": source["case"],
        "shop_id": SHOP,
        "amount_fen": source["fen"],
        "stage": source["stage"],
        "line_count": source["items"],
        "imputed": _IMPUTED[kind],
    }
    arrays = {
        name: pa.repeat(value, len(source)) if isinstance(value, str) else _plain(value)
        for name, value in columns.items()
    }
    return pa.table([_typed(arrays.get(field.name), field, len(source)) for field in SCHEMA], schema=SCHEMA)


def _plain(values: pd.Series[Any]) -> pa.Array:
    array = pa.Array.from_pandas(values)
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def _typed(array: pa.Array | None, field: pa.Field, length: int) -> pa.Array:
    return pa.nulls(length, field.type) if array is None else array.cast(field.type)
