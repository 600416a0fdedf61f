"""The figures of a log that the facts speak of."""

from __future__ import annotations

from functools import cached_property
from typing import Final

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

ORDERS: Final = """
select order_id, any_value(buyer_id) as buyer_id, any_value(shop_id) as shop_id,
    any_value(goods_type) filter (kind = 'order_placed') as goods_type,
    max(amount_fen) filter (kind = 'order_placed') as fen,
    min(occurred_at) filter (kind = 'order_placed') as placed,
    min(occurred_at) filter (kind = 'order_paid') as paid,
    min(occurred_at) filter (kind = 'order_shipped') as "left",
    min(recorded_at) filter (kind = 'order_shipped') as tracked,
    min(occurred_at) filter (kind = 'order_completed') as completed,
    min(recorded_at) filter (kind = 'refund_requested') as requested,
    min(recorded_at) filter (kind = 'refund_granted') as granted,
    any_value(stage) filter (kind = 'refund_requested') as stage,
    any_value(fault) filter (kind = 'refund_requested') as fault,
    any_value(reason) filter (kind = 'refund_requested') as reason,
    max(amount_fen) filter (kind = 'refund_requested') as refund_fen,
    coalesce(bool_or(kind = 'refund_found_shipped'), false) as found_shipped,
    bool_or(kind = 'order_closed_unpaid') as unpaid,
from events where order_id is not null group by order_id
"""
BY_SHOP: Final = ("late_shipment", "out_of_stock")
MIND, ORDER, ADDRESS = "changed_mind", "change_order", "change_address"


def orders_of(events: pa.Table) -> pd.DataFrame:
    """Read one row per order from a log; an instant is missing where the log does not have it."""
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        db.register("events", events)
        orders: pd.DataFrame = db.sql(ORDERS).to_arrow_table().to_pandas()
    return orders


class Likeness:
    """A log seen as the facts see it."""

    def __init__(self, orders: pd.DataFrame) -> None:
        self.orders = orders
        self.paid = orders[orders["paid"].notna()]

    @cached_property
    def lags(self) -> dict[str, pd.Series]:
        """Hours between two steps of an order, of parcels only but for payment."""
        parcels = self.paid[self.paid["goods_type"] == "physical"]
        return {
            "placed to paid": _hours(self.orders, "placed", "paid"),
            "paid to shipped": _hours(parcels, "paid", "left"),
            "shipped to completed": _hours(parcels, "left", "completed"),
            "paid to refund request": _hours(self.paid, "paid", "requested"),
        }

    @cached_property
    def cancelled(self) -> pd.Series:
        """Which paid orders their buyers gave up before shipment, neither late nor sold out as they say."""
        return (self.paid["stage"] == "before_shipment") & ~self.paid["reason"].isin(BY_SHOP)

    @cached_property
    def orders_by_buyer(self) -> pd.Series:
        """Paid orders of every buyer that has any."""
        return self.paid.groupby("buyer_id").size().sort_values(ascending=False)

    def refund_rate(self, low_yuan: float, high_yuan: float) -> float:
        """Share of the paid orders of some amounts whose money was asked back."""
        of = self.paid[self.paid["fen"].between(low_yuan * 100, high_yuan * 100, inclusive="left")]
        return float(of["requested"].notna().mean())

    def figures(self) -> dict[str, float]:
        """Compute the figure of every fact."""
        return {**self._amounts_and_lags(), **self._refunds(), **self._buyers()}

    def _amounts_and_lags(self) -> dict[str, float]:
        yuan, lags = self.orders["fen"] / 100, self.lags
        found = {f"amount p{q}, yuan": float(yuan.quantile(q / 100)) for q in (10, 50, 90, 99)}
        found["orders under 300 yuan, %"] = 100 * float((yuan < 300).mean())
        found["orders paid, %"] = 100 * len(self.paid) / len(self.orders)
        seconds = lags["placed to paid"] * 3_600
        found |= {f"placed to paid p{q}, s": float(seconds.quantile(q / 100)) for q in (50, 90)}
        for name in ("paid to shipped", "shipped to completed"):
            found |= {f"{name} p{q}, h": float(lags[name].quantile(q / 100)) for q in (10, 50, 90)}
        return found

    def _refunds(self) -> dict[str, float]:
        paid, reasons = self.paid, self.paid.loc[self.cancelled, "reason"]
        by_shop = (paid["stage"] == "before_shipment") & paid["reason"].isin(BY_SHOP)
        soon = self.lags["paid to refund request"] <= 60 * 24
        return {
            "paid orders with a refund request, %": 100 * float(paid["requested"].notna().mean()),
            "refund rate above 300 yuan over below 50": self.refund_rate(300, np.inf)
            / self.refund_rate(0, 50),
            "paid orders cancelled by the buyer before shipment, %": 100 * float(self.cancelled.mean()),
            "paid orders given up by the shop's fault before shipment, %": 100 * float(by_shop.mean()),
            "of cancellations: changed mind, %": 100 * float((reasons == MIND).mean()),
            "of cancellations: change of the order, %": 100 * float((reasons == ORDER).mean()),
            "of cancellations: change of address, %": 100 * float((reasons == ADDRESS).mean()),
            "orders that lose something within 60 days, %": 100 * float(soon.sum() / len(paid)),
        }

    def _buyers(self) -> dict[str, float]:
        by_buyer = self.orders_by_buyer
        p25, p50, p90, p99 = (float(by_buyer.quantile(q)) for q in (0.25, 0.5, 0.9, 0.99))
        busiest = by_buyer.iloc[: len(by_buyer) // 10]
        askers = self.paid.loc[self.paid["requested"].notna(), "buyer_id"].nunique()
        return {
            "orders of a buyer p50 over p25": p50 / p25,
            "orders of a buyer p90 over p50": p90 / p50,
            "orders of a buyer p99 over p50": p99 / p50,
            "share of orders by the busiest tenth of buyers, %": 100 * float(busiest.sum() / by_buyer.sum()),
            "orders of a buyer, mean": float(by_buyer.mean()),
            "buyers that ever ask for a refund, %": 100 * askers / len(by_buyer),
        }


def _hours(frame: pd.DataFrame, start: str, end: str) -> pd.Series:
    return (frame[end] - frame[start]).dropna().dt.total_seconds() / 3_600
