from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
import pytest

from backtest.calibration.figures import orders_of
from backtest.marketplace import Market, MarketConfig, simulate


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
        orders = orders_of(self.market.events)
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
