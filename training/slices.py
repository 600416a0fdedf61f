"""How good the probabilities are for parts of the buyers, which an average over all of them hides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from decisions.policy import NOTICE, Policy
from models.buyer_score import BuyerScore

from .cut_off import enough_history, latest_rows
from .dataset import Dataset
from .evaluate import (
    Floats,
    Interval,
    ReliabilityBin,
    ranking_measures,
    rate_of,
    reliability_bins,
    with_intervals,
)
from .halves import judged_by
from .log import DAY_US, TrainingLog

FEWEST_EVENTS: Final = 5
"""Below so many events, found and expected, a slice is said to hold too few."""
EVENTS_TO_RANK: Final = 10
PEERS: Final = ("device_peers_distinct_life", "address_peers_distinct_life", "payer_peers_distinct_life")
HEAVY_QUANTILE: Final = 0.9
SHOP_DAYS: Final = 180
LATE_US: Final = 2 * DAY_US
"""A parcel whose tracking number comes later after the payment is late."""
TROUBLED_QUANTILE: Final = 0.8
SHOP_PRIOR_ORDERS: Final = 20.0
N_DRAWS: Final = 200
N_SLICE_BINS: Final = 5
NOT_SLICED: Final = {"region": "the event contract has no region, so none can be looked at"}
WORDS: Final = {
    "all": "all buyers",
    "new": "not enough history",
    "established": "enough history",
    "heavy": "the tenth that buys most",
    "sharing": "share a device, address or payer",
    "troubled_shops": "of shops that ship late or fail",
    "other_shops": "of other shops",
}


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One part of the buyers judged.

    Attributes
    ----------
    predicted : float
        Mean probability.
    observed : Interval
        Share of positives, with Jeffreys' interval.
    roc_auc : Interval or None
        None with fewer than `EVENTS_TO_RANK` events, or none but events.
    bins : tuple of ReliabilityBin
        Predicted against observed, with intervals.
    verdict : str
        Whether the predicted rate lies inside the interval, in words.
    """

    name: str
    words: str
    n: int
    events: int
    predicted: float
    observed: Interval
    roc_auc: Interval | None
    bins: tuple[ReliabilityBin, ...]
    verdict: str


def slices_of(
    log: TrainingLog, *, score: BuyerScore, rows: Dataset, policy: Policy = NOTICE, seed: int = 0
) -> tuple[Slice, ...]:
    """Judge each slice on each buyer's latest row; a slice without a row is left out."""
    judged = latest_rows(rows)
    seen = judged_by(score, judged)
    masks = slice_masks(log, judged, policy=policy)
    return tuple(
        _slice(name, judged.y[mask], seen.p[mask], ranked=seen.ranked[mask], seed=seed)
        for name, mask in masks.items()
        if mask.any()
    )


def slice_masks(
    log: TrainingLog, rows: Dataset, *, policy: Policy = NOTICE
) -> Mapping[str, NDArray[np.bool_]]:
    """Say which rows are in which slice; slices overlap."""
    known = enough_history(rows.X, policy)
    orders = rows.X["orders_paid_count_365d"].to_numpy()
    share = troubled_share(log, rows)
    return {
        "all": np.ones(len(rows), dtype=bool),
        "new": ~known,
        "established": known,
        "heavy": orders > np.quantile(orders, HEAVY_QUANTILE),
        "sharing": (rows.X[list(PEERS)].to_numpy() > 0).any(axis=1),
        "troubled_shops": share > 0.5,
        "other_shops": share <= 0.5,
    }


def troubled_share(log: TrainingLog, rows: Dataset) -> Floats:
    """Share of a row's orders, in the 180 days before it, of troubled shops; NaN without an order.

    A shop's trouble is its share of orders that it shipped late or that were refunded by its fault, as known
    at the snapshot and shrunk to the mean; the fifth of orders with the most trouble is of troubled shops.
    """
    out = np.full(len(rows), np.nan)
    for at in np.unique(rows.as_of):
        orders = _orders_with_trouble(log, int(at))
        if orders["shop"].nunique() > 1:
            share = _share_by_buyer(orders)
            here = rows.as_of == at
            out[here] = share.reindex(rows.buyer[here]).to_numpy()
    return out


def _orders_with_trouble(log: TrainingLog, at: int) -> pd.DataFrame:
    paid, shipped, refunds = (log.of(kind) for kind in ("order_paid", "order_shipped", "refund_requested"))
    recent = paid["recorded"].between(at - SHOP_DAYS * DAY_US, at, inclusive="left") & (paid["shop"] >= 0)
    orders = paid.loc[recent, ["buyer", "order", "shop", "recorded"]].drop_duplicates("order")
    sent = shipped[shipped["recorded"] < at].groupby("order")["recorded"].min()
    blamed = refunds.loc[(refunds["recorded"] < at) & (refunds["fault"] == "shop"), "order"]
    wait = orders["order"].map(sent).to_numpy(dtype=np.float64) - orders["recorded"].to_numpy()
    return orders.assign(trouble=(wait > LATE_US) | orders["order"].isin(blamed))


def _share_by_buyer(orders: pd.DataFrame) -> pd.Series:
    by_shop = orders.groupby("shop")["trouble"].agg(["sum", "count"])
    mean = orders["trouble"].mean()
    shrunk = (by_shop["sum"] + mean * SHOP_PRIOR_ORDERS) / (by_shop["count"] + SHOP_PRIOR_ORDERS)
    rate = orders["shop"].map(shrunk)
    troubled = (rate >= rate.quantile(TROUBLED_QUANTILE)) & (rate > mean)
    return troubled.groupby(orders["buyer"]).mean()


def _slice(name: str, y: NDArray[np.int64], p: Floats, *, ranked: Floats, seed: int) -> Slice:
    n, events = len(y), int(y.sum())
    observed = rate_of(events, n)
    return Slice(
        name=name,
        words=WORDS[name],
        n=n,
        events=events,
        predicted=float(p.mean()),
        observed=observed,
        roc_auc=_ranked(y, ranked, seed=seed),
        bins=reliability_bins(y, p, n_bins=N_SLICE_BINS),
        verdict=_verdict(observed, predicted=float(p.mean()), events=events, n=n),
    )


def _ranked(y: NDArray[np.int64], p: Floats, *, seed: int) -> Interval | None:
    if min(y.sum(), len(y) - y.sum()) < EVENTS_TO_RANK:
        return None
    measures = {"roc_auc": ranking_measures(y, p)["roc_auc"]}
    return with_intervals(measures, groups=np.arange(len(y)), seed=seed, n_draws=N_DRAWS)["roc_auc"]


def _verdict(observed: Interval, *, predicted: float, events: int, n: int) -> str:
    if max(events, predicted * n) < FEWEST_EVENTS:
        return "too few events to say"
    if observed.low <= predicted <= observed.high:
        return "agrees"
    return "understated" if predicted < observed.low else "overstated"
