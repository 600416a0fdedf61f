from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from features.catalog import CATALOG
from models.calibration import PlattCalibrator
from models.scale import points_of
from training.dataset import Dataset
from training.evaluate import reliability_bins
from training.log import micros, training_log
from training.slices import NOT_SLICED, WORDS, slice_masks, slices_of, troubled_share

from .events import day, event, order, table


class Fixed:
    """A score that gives the probabilities it is told."""

    def __init__(self, p: np.ndarray) -> None:
        self.p, self.calibrator_ = p, PlattCalibrator()

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        p = self.p[X["orders_paid_count_365d"].to_numpy().astype(int)]
        return np.column_stack([1 - p, p])

    def points(self, X: pd.DataFrame) -> np.ndarray:
        return points_of(self.predict_proba(X)[:, 1])


def rows_of(y: np.ndarray, *, completed: np.ndarray | int = 10) -> Dataset:
    """Make one row per buyer, whose number of orders is its position."""
    n = len(y)
    X = pd.DataFrame(np.zeros((n, CATALOG.n_features)), columns=list(CATALOG.names))
    X["orders_paid_count_365d"] = np.arange(n)
    X["orders_completed_count_life"], X["days_since_first_order_paid"] = completed, 100.0
    return Dataset(X, y, np.arange(n), np.full(n, micros(day(100))))


EMPTY = training_log(table([event("order_paid", "b", 0, order_id="o")]))


@pytest.mark.parametrize(
    ("rate", "told", "verdict"),
    [
        (0.05, 0.05, "agrees"),
        (0.05, 0.01, "understated"),
        (0.05, 0.2, "overstated"),
        (0.0, 0.001, "too few events to say"),
    ],
)
def test_a_slice_is_judged_by_whether_the_predicted_rate_lies_in_the_interval(
    rate: float, told: float, verdict: str
) -> None:
    y = (np.arange(2000) % 1000 < 1000 * rate).astype(np.int64)
    found = slices_of(EMPTY, score=Fixed(np.full(2000, told)), rows=rows_of(y))  # type: ignore[arg-type]
    (whole,) = (s for s in found if s.name == "all")
    assert (whole.verdict, whole.events, whole.predicted) == (verdict, y.sum(), pytest.approx(told))
    assert whole.observed.low <= rate <= whole.observed.high


def test_a_wrong_probability_of_one_slice_does_not_hide_in_the_average() -> None:
    new = np.arange(4000) % 2 == 0
    y = (np.arange(4000) % 40 < 4).astype(np.int64) * ~new  # all positives have a history
    rows = rows_of(y, completed=np.where(new, 2, 3))
    found = {s.name: s.verdict for s in slices_of(EMPTY, score=Fixed(np.full(4000, 0.05)), rows=rows)}  # type: ignore[arg-type]
    assert (found["all"], found["new"], found["established"]) == ("agrees", "overstated", "understated")


def test_heavy_buyers_are_the_tenth_with_most_orders() -> None:
    masks = slice_masks(EMPTY, rows_of(np.zeros(100, dtype=np.int64)))
    assert np.flatnonzero(masks["heavy"]).tolist() == list(range(90, 100))


def test_a_buyer_of_late_or_failing_shops_is_known_by_what_was_recorded_before_the_snapshot() -> None:
    events = []
    for i in range(81):
        shop = ("late", "blamed", "fine", "fine", "fine", "fine", "fine", "fine", "later")[i % 9]
        events += order(shop, i / 10, f"o{i}", shop_id=shop)
        sent = i / 10 + (3 if shop == "late" else 1)
        events.append(event("order_shipped", shop, sent, order_id=f"o{i}", shop_id=shop))
        if shop in {"blamed", "later"}:
            known = 20 if shop == "blamed" else 200
            events.append(event("refund_requested", shop, 15, known=known, order_id=f"o{i}", fault="shop"))
    log = training_log(table(events))
    code = {name: i for i, name in enumerate(log.buyer_ids.to_pylist())}
    y = np.zeros(4, dtype=np.int64)
    rows = rows_of(y)
    rows = Dataset(rows.X, y, np.array([code[b] for b in ("late", "blamed", "fine", "later")]), rows.as_of)
    late, blamed, fine, later = troubled_share(log, rows)
    assert late + blamed >= 1.0
    assert (fine, later) == (0.0, 0.0)


def test_a_market_of_one_shop_has_no_slices_by_shop_and_none_has_regions() -> None:
    found = slices_of(EMPTY, score=Fixed(np.full(50, 0.1)), rows=rows_of(np.arange(50) % 2))  # type: ignore[arg-type]
    assert {s.name for s in found} == {"all", "established", "heavy"} < set(WORDS)
    assert "region" in NOT_SLICED


def test_reliability_bins_hold_every_row_once_and_expect_about_the_same() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.001, 0.2, 5000)
    y = (rng.random(5000) < p).astype(np.int64)
    bins = reliability_bins(y, p, n_bins=10)
    assert sum(b.n for b in bins) == 5000
    assert sum(b.n * b.observed.value for b in bins) == pytest.approx(y.sum())
    expected = [b.n * b.predicted for b in bins]
    assert max(expected) < 1.05 * min(expected)
