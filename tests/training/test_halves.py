"""The base rate moves: the stored score follows it, and is judged by a shift that no row helped to choose."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from decisions.policy import GUARANTEED, NOTICE
from features.catalog import CATALOG
from models.buyer_score import BuyerScore
from training.cut_off import latest_rows
from training.dataset import Dataset
from training.examination import Lesson, fitted
from training.fit import as_fitted, fit_score, new_score
from training.halves import halves, judged_by
from training.judge import seen_by
from training.labels import AbuseLabel
from training.log import DAY_US

RISK = "cancellations_count_life"


def market(n: int, *, at_day: int, seed: int, odds: float = 1.0) -> Dataset:
    """Draw buyers of whom the more have abused the more they have cancelled; `odds` multiplies all odds."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(np.zeros((n, CATALOG.n_features)), columns=list(CATALOG.names))
    X[RISK] = rng.poisson(2.0, n).astype(np.float64)
    log_odds = 0.8 * X[RISK].to_numpy() - 5.0 + np.log(odds)
    y = (rng.random(n) < 1 / (1 + np.exp(-log_odds))).astype(np.int64)
    return Dataset(X, y, np.arange(n), np.full(n, at_day * DAY_US))


def lesson(judged: Dataset) -> Lesson:
    months = [market(1_500, at_day=30 * i, seed=i) for i in range(3)]
    learned = Dataset(
        pd.concat([m.X for m in months], ignore_index=True),
        np.concatenate([m.y for m in months]),
        np.concatenate([m.buyer for m in months]),
        np.concatenate([m.as_of for m in months]),
    )
    window: Any = None
    return Lesson(window=window, label=AbuseLabel(), learned=learned, judged=judged, seed=0)


def expected(score: BuyerScore, rows: Dataset) -> float:
    return float(score.predict_proba(rows.X)[:, 1].sum())


@pytest.mark.parametrize("odds", [2.0, 0.4])
def test_after_the_base_rate_moved_the_model_expects_more_nearly_what_a_later_snapshot_brings(
    odds: float,
) -> None:
    score = fitted(lesson(market(3_000, at_day=250, seed=7, odds=odds)))
    later = market(5_000, at_day=400, seed=8, odds=odds)
    found = later.y.sum()
    assert abs(expected(score, later) - found) < 0.4 * abs(expected(as_fitted(score), later) - found)
    assert abs(expected(score, later) / found - 1) < 0.25


def test_where_nothing_moved_the_stored_model_is_the_same_bytes(tmp_path: Any) -> None:
    task = lesson(market(3_000, at_day=250, seed=7))
    plain = fit_score(new_score(seed=0), task.learned, maturity=task.label.maturity)
    fitted(task).save(tmp_path / "moved")
    plain.save(tmp_path / "plain")
    for path in (tmp_path / "plain").iterdir():
        assert (tmp_path / "moved" / path.name).read_bytes() == path.read_bytes()


def test_a_moved_model_is_the_same_bytes_every_time_and_reads_back(tmp_path: Any) -> None:
    task = lesson(market(3_000, at_day=250, seed=7, odds=2.0))
    for name in ("one", "two"):
        fitted(task).save(tmp_path / name)
    for path in (tmp_path / "one").iterdir():
        assert (tmp_path / "two" / path.name).read_bytes() == path.read_bytes()
    assert BuyerScore.load(tmp_path / "one").calibrator_ == fitted(task).calibrator_


def test_no_row_is_judged_by_a_shift_that_it_helped_to_choose() -> None:
    judged = market(3_000, at_day=250, seed=7, odds=2.0)
    score = fitted(lesson(judged))
    first = halves(judged.buyer)
    seen = judged_by(score, judged)
    other = judged_by(score, replace(judged, y=np.where(first, 0, judged.y)))
    assert np.array_equal(seen.p[first], other.p[first])  # its own outcomes say nothing
    assert not np.array_equal(seen.p[~first], other.p[~first])
    assert np.array_equal(
        seen.p, judged_by(score, latest_rows(judged)).p[np.argsort(latest_rows(judged).buyer)]
    )


def test_a_shift_leaves_the_ranking_and_the_mean_of_what_is_judged_near_what_was_found() -> None:
    judged = market(3_000, at_day=250, seed=7, odds=2.0)
    score = fitted(lesson(judged))
    seen = judged_by(score, judged)
    assert np.array_equal(seen.ranked, as_fitted(score).predict_proba(judged.X)[:, 1])
    assert seen.p.sum() == pytest.approx(judged.y.sum(), rel=0.15)
    assert seen.ranked.sum() < 0.7 * judged.y.sum()


def test_a_cut_off_left_to_the_model_goes_by_the_stored_points_and_a_stated_one_by_the_halves() -> None:
    judged = market(3_000, at_day=250, seed=7, odds=2.0)
    score = fitted(lesson(judged))
    case: Any = SimpleNamespace(examined=SimpleNamespace(score=score), lesson=lesson(judged), policy=NOTICE)
    assert np.array_equal(seen_by(case).points, judged_by(score, judged).points)
    case.policy = GUARANTEED
    assert np.array_equal(seen_by(case).points, score.points(judged.X))
    assert np.array_equal(seen_by(case).p, judged_by(score, judged).p)


def test_halves_hold_whole_buyers_about_as_many_each() -> None:
    buyer = np.repeat(np.arange(10_000), 2)
    half = halves(buyer)
    assert np.array_equal(half[::2], half[1::2])
    assert half.mean() == pytest.approx(0.5, abs=0.02)
