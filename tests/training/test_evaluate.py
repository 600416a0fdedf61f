from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from training.evaluate import (
    Ranked,
    average_precision,
    bootstrap_weights,
    calibration_error,
    equal_mass_bins,
    evaluate,
    gain_at,
    recall_at,
    roc_auc,
)

ROW = st.tuples(st.booleans(), st.integers(0, 6), st.integers(1, 3))
ROWS = st.lists(ROW, min_size=2, max_size=40).filter(lambda rows: len({y for y, _, _ in rows}) == 2)


@given(ROWS)
def test_weighted_ranking_measures_are_scikit_learns_ties_included(rows: list[tuple[bool, int, int]]) -> None:
    y, score, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    ranked = Ranked.of(y, score)
    assert roc_auc(ranked, weight) == pytest.approx(roc_auc_score(y, score, sample_weight=weight))
    expected = average_precision_score(y, score, sample_weight=weight)
    assert average_precision(ranked, weight) == pytest.approx(expected)


@pytest.mark.parametrize(("rate", "recall"), [(0.0, 0.5), (0.24, 0.5), (0.25, 1.0), (1.0, 1.0)])
def test_recall_counts_only_cuts_within_the_false_positives_allowed(rate: float, recall: float) -> None:
    ranked = Ranked.of([1, 0, 1, 0, 0, 0], [0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
    assert recall_at(ranked, np.ones(6), false_positive_rate=rate) == recall


def test_gains_are_the_share_of_positives_among_the_riskiest() -> None:
    ranked = Ranked.of([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1])
    assert [gain_at(ranked, np.ones(4), share=s) for s in (0.25, 0.5, 0.75)] == [0.5, 0.5, 1.0]


def test_calibration_error_is_the_mean_gap_of_bins() -> None:
    y, p = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.2, 0.2, 0.6, 0.6])
    bins = equal_mass_bins(p, n_bins=2)
    assert calibration_error(y, p, np.ones(4), bins=bins) == pytest.approx((0.2 + 0.4) / 2)


def test_the_bootstrap_draws_buyers_whole() -> None:
    for weight in bootstrap_weights(["a", "a", "b", "c"], n_draws=20, seed=0):
        assert weight[0] == weight[1]
        assert weight[0] + weight[2] + weight[3] == 3


def test_intervals_hold_their_value_and_do_not_depend_on_the_run() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0.01, 0.3, 3000)
    y = (rng.random(3000) < p).astype(int)
    found = evaluate(y, p, groups=np.arange(3000) // 2, seed=1, n_draws=100)
    assert found == evaluate(y, p, groups=np.arange(3000) // 2, seed=1, n_draws=100)
    assert found["brier"].value == pytest.approx(brier_score_loss(y, p))
    for name in ("roc_auc", "average_precision", "brier", "recall_at_fpr_0.01", "gain_at_0.1"):
        assert found[name].low < found[name].value < found[name].high
