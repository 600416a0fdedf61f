from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import duckdb
import pandas as pd
import pytest

from backtest.marketplace import Market, MarketConfig, simulate

ORDERS = """
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
    max(amount_fen) filter (kind = 'refund_requested') as refund_fen,
    bool_or(kind = 'refund_found_shipped') as found_shipped,
    bool_or(kind = 'order_closed_unpaid') as unpaid,
from events where order_id is not null group by order_id
"""


@dataclass(frozen=True)
class Seen:
    """A market with the frames that tests look at."""

    market: Market = field(repr=False)

    @cached_property
    def events(self) -> pd.DataFrame:
        return self.market.events.to_pandas()

    @cached_property
    def truth(self) -> pd.DataFrame:
        return self.market.truth.to_pandas()

    @cached_property
    def orders(self) -> pd.DataFrame:
        """One row per order, with its buyer's archetype."""
        with duckdb.connect() as db:
            db.execute("set timezone = 'UTC'")
            db.register("events", self.market.events)
            orders = db.sql(ORDERS).to_arrow_table().to_pandas()
        return orders.merge(self.truth[["buyer_id", "archetype", "abuse_starts_at", "abuse_ends_at"]])

    @cached_property
    def paid(self) -> pd.DataFrame:
        return self.orders[self.orders["paid"].notna()]

    @cached_property
    def bad(self) -> set[str]:
        """Buyers with abuse confirmed, a dispute lost, a refund found shipped, or many own refunds."""
        events = self.events
        lost = (events["kind"] == "dispute_closed") & (events["outcome"] == "merchant")
        told = events["kind"].isin(["abuse_confirmed", "refund_found_shipped"])
        granted = events[(events["kind"] == "refund_granted") & events["fault"].isin(["buyer", "none"])]
        refunds = granted.groupby("buyer_id").size()
        paid = events[events["kind"] == "order_paid"].groupby("buyer_id").size()
        many = refunds[(refunds >= 5) & (refunds / paid.reindex(refunds.index) > 0.4)]
        return set(events.loc[lost | told, "buyer_id"]) | set(many.index)

    def of(self, kind: str) -> pd.DataFrame:
        """Events of one kind, with the buyer's archetype."""
        return self.events[self.events["kind"] == kind].merge(self.truth)


@pytest.fixture(scope="session")
def plain() -> Seen:
    """A market in the ordinary mixture."""
    return Seen(simulate(MarketConfig(buyers=6_000, days=540, seed=3)))


@pytest.fixture(scope="session")
def villains() -> Seen:
    """A market in which four accounts in ten are abusers, so that each archetype has many."""
    return Seen(simulate(MarketConfig(buyers=5_000, days=540, seed=4, abuse_rate=0.4)))
