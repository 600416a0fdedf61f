"""What is to be learned: who, at an instant, and what came of it; counted only when it can be known.

A label of a snapshot at `as_of` is mature when its window and its reporting delay have passed. Until then a
buyer without a bad outcome is not a good one, only one of whom nothing is known yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
import pandas as pd

from .log import DAY_US, TrainingLog, micros

Buyers = np.ndarray
"""Sorted integer codes of buyers."""


class Label(Protocol):
    """A question about buyers at an instant."""

    @property
    def maturity(self) -> timedelta:
        """How long after `as_of` the answer is complete."""
        ...

    def population(self, log: TrainingLog, as_of: datetime) -> Buyers:
        """Whom the question is about."""
        ...

    def positives(self, log: TrainingLog, as_of: datetime) -> Buyers:
        """For whom the answer is yes, in the population or not."""
        ...


@dataclass(frozen=True)
class AbuseLabel:
    """Abuse within `window_days` after `as_of`, as known `delay_days` later.

    Yes if, in the window: abuse was confirmed and not cleared by the delay's end; a dispute was closed for
    the merchant; a granted refund was found shipped; or refunds before shipment that nobody but the buyer
    caused were granted on at least `refund_orders` orders and on at least `refund_share` of those paid.

    Attributes
    ----------
    window_days, delay_days : int
        Length of the window, and of the wait for late reports.
    refund_orders : int
        Fewest refunded orders that count as abuse by themselves.
    refund_share : float
        Smallest ratio of refunded orders to orders paid, both in the window.
    active_days : int
        The population bought before `as_of` and shows any event in so many days before it.
    """

    window_days: int = 90
    delay_days: int = 30
    refund_orders: int = 5
    refund_share: float = 0.5
    active_days: int = 180

    @property
    def maturity(self) -> timedelta:
        """Window and delay together."""
        return timedelta(days=self.window_days + self.delay_days)

    def population(self, log: TrainingLog, as_of: datetime) -> Buyers:
        """Buyers known to have paid an order and to have been active."""
        at, events, paid = micros(as_of), log.frame, log.of("order_paid")
        recent = events["recorded"].between(at - self.active_days * DAY_US, at, inclusive="left")
        return np.intersect1d(paid.loc[paid["recorded"] < at, "buyer"], events.loc[recent, "buyer"])

    def positives(self, log: TrainingLog, as_of: datetime) -> Buyers:
        """Buyers with any of the four signs."""
        at = micros(as_of)
        lost = self._seen(log, "dispute_closed", at)
        found = [
            self._confirmed(log, at),
            lost.loc[lost["outcome"] == "merchant", "buyer"],
            self._seen(log, "refund_found_shipped", at)["buyer"],
            self._serial_refunders(log, at),
        ]
        return np.unique(np.concatenate([np.asarray(buyers, dtype=np.int64) for buyers in found]))

    def _seen(self, log: TrainingLog, kind: str, at: int) -> pd.DataFrame:
        """Events of a kind that happened in the window and were known by the delay's end."""
        rows = log.of(kind)
        happened = rows["occurred"].between(at, at + self.window_days * DAY_US, inclusive="left")
        return rows[happened & (rows["recorded"] < self._horizon(at))]

    def _horizon(self, at: int) -> int:
        return at + (self.window_days + self.delay_days) * DAY_US

    def _confirmed(self, log: TrainingLog, at: int) -> pd.Series:
        """Buyers whose latest confirmation in the window was not cleared after it."""
        latest = self._seen(log, "abuse_confirmed", at).groupby("buyer")["occurred"].max()
        cleared = log.of("abuse_cleared")
        known = cleared[cleared["recorded"] < self._horizon(at)]
        ended = known.groupby("buyer")["occurred"].max().reindex(latest.index, fill_value=-1)
        return latest.index[latest > ended].to_series()

    def _serial_refunders(self, log: TrainingLog, at: int) -> pd.Series:
        """Buyers whose blameless-shop refunds are many and are much of what they paid for."""
        granted = self._seen(log, "refund_granted", at)
        own = granted["fault"].isna() | granted["fault"].isin(["buyer", "none"])
        own_before = granted[own & (granted["stage"] == "before_shipment")]
        refunded = own_before.groupby("buyer")["order"].nunique()
        paid = self._seen(log, "order_paid", at).groupby("buyer")["order"].nunique()
        share = refunded / paid.reindex(refunded.index, fill_value=0)
        return refunded.index[(refunded >= self.refund_orders) & (share >= self.refund_share)].to_series()


@dataclass(frozen=True)
class CancellationLabel:
    """Any order paid within `window_days` after `as_of` loses a line within `cancel_days` of the order.

    The population has `orders_before` paid orders known before `as_of` and at least one in the window.
    """

    window_days: int = 90
    cancel_days: int = 60
    orders_before: int = 2

    @property
    def maturity(self) -> timedelta:
        """Window, and the time that its last order has to lose a line."""
        return timedelta(days=self.window_days + self.cancel_days)

    def population(self, log: TrainingLog, as_of: datetime) -> Buyers:
        """Buyers with enough orders before and one to ask about."""
        at, paid = micros(as_of), log.of("order_paid")
        before = paid[paid["recorded"] < at].groupby("buyer")["order"].nunique()
        return np.intersect1d(before.index[before >= self.orders_before], self._asked(paid, at)["buyer"])

    def positives(self, log: TrainingLog, as_of: datetime) -> Buyers:
        """Buyers of whose orders in the window one was refunded, in part or whole, in time."""
        asked = self._asked(log.of("order_paid"), micros(as_of))
        refunds = log.of("refund_granted")[["order", "occurred"]]
        both = asked[["buyer", "order", "occurred"]].merge(refunds, on="order", suffixes=("", "_refund"))
        lag = both["occurred_refund"] - both["occurred"]
        return np.unique(both.loc[lag.between(0, self.cancel_days * DAY_US, inclusive="left"), "buyer"])

    def _asked(self, paid: pd.DataFrame, at: int) -> pd.DataFrame:
        return paid[paid["occurred"].between(at, at + self.window_days * DAY_US, inclusive="left")]
