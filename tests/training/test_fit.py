from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tests.models.conftest import new_score, rows
from training.dataset import Dataset, Newer
from training.fit import base_rate_by_snapshot, fit_score, recalibrate
from training.log import DAY_US

MATURITY = timedelta(days=60)


def monthly(n_months: int = 6, *, kept: float = 1.0, start: int = 0) -> Dataset:
    """Draw 600 buyers at 30-day steps; `kept` of the positives stay in the first half of the months."""
    X, y = rows(600 * n_months, seed=start)
    month = np.arange(len(y)) % n_months
    stays = (y == 0) | (month >= n_months // 2) | (np.random.default_rng(0).random(len(y)) < kept)
    as_of = (start + month) * 30 * DAY_US
    return Dataset(X[stays].reset_index(drop=True), y[stays], np.arange(len(y))[stays] // 2, as_of[stays])


def test_probabilities_are_of_the_newest_base_rate_although_fewer_events_came_before() -> None:
    learned = monthly(kept=0.1)
    score = fit_score(new_score(n_folds=2), learned, maturity=MATURITY)
    X, y = rows(3000, seed=9)
    assert score.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.15)


def test_the_base_rate_of_a_snapshot_with_few_rows_is_shrunk_to_that_of_all() -> None:
    learned = monthly()
    first = replace(learned, as_of=np.where(np.arange(len(learned)) < 5, -1, 0), y=learned.y | 0)
    rates = 1 / (1 + np.exp(-base_rate_by_snapshot(first)))
    assert rates[0] == pytest.approx(learned.y.mean(), rel=0.3)
    assert rates[-1] == pytest.approx(learned.y.mean(), rel=0.01)


def test_rows_of_shorter_windows_teach_the_trees_and_leave_calibration_to_whole_windows() -> None:
    learned = monthly()
    other = monthly(2, start=20)
    flipped = replace(other, y=np.zeros_like(other.y))
    with_newer = replace(learned, newer=(Newer(flipped, timedelta(days=30)),))
    alone, both = (fit_score(new_score(), data, maturity=MATURITY) for data in (learned, with_newer))
    assert both.booster_.model_to_string() != alone.booster_.model_to_string()
    found, expected = both.calibrator_, alone.calibrator_  # apart from where the features' bins begin
    assert (found.slope, found.intercept) == pytest.approx((expected.slope, expected.intercept), rel=0.02)


@pytest.mark.parametrize(("keep", "moves"), [(1.0, False), (0.25, True)])
def test_a_score_is_moved_to_a_new_base_rate_only_where_it_moved(keep: float, moves: bool) -> None:
    score = new_score().fit(*rows(4000))
    X, y = rows(4000, seed=1)
    kept = (y == 0) | (np.random.default_rng(0).random(len(y)) < keep)
    newer = Dataset(X[kept], y[kept], np.flatnonzero(kept), np.zeros(kept.sum(), dtype=np.int64))
    moved, found = recalibrate(score, newer)
    assert found.moved is moves
    before, after = (s.predict_proba(newer.X)[:, 1] for s in (score, moved))
    assert np.array_equal(np.argsort(before, kind="stable"), np.argsort(after, kind="stable"))
    assert after.mean() == pytest.approx(newer.y.mean(), rel=0.1)
    assert (before.mean() == after.mean()) is not moves
    assert moved.booster_ is score.booster_
