from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calibration import (
    BaseRateShift,
    PlattCalibrator,
    fit_platt,
    points_after,
    shift_of_base_rate,
    shifted,
    unshifted,
)
from models.scale import P_FLOOR, bounded_probability, points_of, probability_of

PROBABILITIES = st.floats(P_FLOOR, 1 - P_FLOOR)


@pytest.mark.parametrize(("p", "points"), [(0.5, 600.0), (P_FLOOR, 900.0), (1 - P_FLOOR, 300.0)])
def test_even_odds_and_both_ends_lie_where_the_scale_says(p: float, points: float) -> None:
    assert float(points_of(p)) == pytest.approx(points, abs=1e-6)


@given(PROBABILITIES, PROBABILITIES)
def test_the_riskier_buyer_never_has_more_points(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert points_of(low) >= points_of(high)
    if high - low > 1e-9:
        assert points_of(low) > points_of(high)


@given(PROBABILITIES)
def test_points_read_back_as_the_probability(p: float) -> None:
    assert float(probability_of(points_of(p))) == pytest.approx(p, abs=1e-9)


@given(st.floats(-8, 8), st.floats(-8, 8), st.floats(-8, 8))
def test_points_are_linear_in_log_odds(a: float, b: float, c: float) -> None:
    points = points_of(1 / (1 + np.exp(-np.array([a, b, c]))))
    assert (points[1] - points[0]) * (c - a) == pytest.approx((points[2] - points[0]) * (b - a), abs=1e-6)


@given(st.floats(-1e4, 1e4))
def test_no_margin_however_large_leaves_the_scale(margin: float) -> None:
    assert 300 - 1e-6 <= float(points_of(PlattCalibrator().probability(margin))) <= 900 + 1e-6


def test_probabilities_rise_with_the_log_odds() -> None:
    assert np.all(np.diff(bounded_probability(np.linspace(-20, 20, 401))) > 0)


def moved(by: float) -> BaseRateShift:
    return BaseRateShift(20, 10.0, by, by - 0.1, by + 0.1, True, "")


@given(st.floats(-3, 3), st.sampled_from([float(c) for c in range(895, 600, -5)]))
def test_a_cut_off_carried_to_the_moved_scale_approves_the_same_buyers(by: float, cut_off: float) -> None:
    margin = np.random.default_rng(0).normal(-4, 3, 2_000)
    before = PlattCalibrator(0.9, -0.3)
    after = shifted(before, moved(by))
    allowed = points_of(before.probability(margin)) >= cut_off
    still = points_of(after.probability(margin)) >= points_after(cut_off, shift=by)
    assert np.array_equal(allowed, still)
    assert points_after([cut_off], shift=0.0).tolist() == [cut_off]


def test_a_moved_line_knows_how_it_was_fitted_and_one_that_nothing_moved_is_the_same_line() -> None:
    line = PlattCalibrator(0.9, -0.25)
    assert shifted(line, moved(0.5)) == PlattCalibrator(0.9, 0.25, 0.5)
    assert unshifted(shifted(line, moved(0.5))) == line
    assert shifted(line, moved(0.0)) is line


def test_calibration_finds_the_line_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(-3, 1.5, 60_000)
    y = rng.random(60_000) < 1 / (1 + np.exp(-(0.7 * margin - 0.4)))
    found = fit_platt(margin, y)
    assert (found.slope, found.intercept) == (pytest.approx(0.7, abs=0.05), pytest.approx(-0.4, abs=0.12))
    assert found.probability(margin).mean() == pytest.approx(y.mean(), abs=1e-3)


def test_margins_that_rank_backwards_still_get_a_rising_line() -> None:
    assert 0 < fit_platt([3.0, 2.0, -2.0, -3.0], [0, 0, 1, 1]).slope < 1


def test_a_handful_of_separable_rows_does_not_make_the_line_steep() -> None:
    assert fit_platt([-3.0, -2.0, 2.0, 3.0], [0, 0, 1, 1]).slope < 3


@pytest.mark.parametrize("y", [[0, 0], [1, 1]])
def test_one_class_cannot_be_calibrated_on(y: list[int]) -> None:
    with pytest.raises(ValueError, match="both classes"):
        fit_platt([0.0, 1.0], y)


def moved_market(n: int, *, by: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    margin = rng.normal(-4, 1, n)
    return margin, (rng.random(n) < 1 / (1 + np.exp(-(margin + by)))).astype(int)


@pytest.mark.parametrize("by", [-1.0, 0.8])
def test_probabilities_follow_a_base_rate_that_moved_and_ranking_stays(by: float) -> None:
    margin, y = moved_market(20_000, by=by)
    found = shift_of_base_rate(PlattCalibrator(), margin, y)
    after = shifted(PlattCalibrator(), found)
    assert found.moved
    assert found.low < by < found.high
    assert after.probability(margin).mean() == pytest.approx(y.mean(), rel=0.02)
    assert after.slope == PlattCalibrator().slope


def test_a_base_rate_that_stays_moves_nothing_in_most_histories() -> None:
    found = [
        shift_of_base_rate(PlattCalibrator(), *moved_market(3_000, by=0.0, seed=seed)) for seed in range(100)
    ]
    assert sum(f.moved for f in found) <= 10
    assert all(f.shift == 0.0 for f in found if not f.moved)


@pytest.mark.parametrize(("n", "events", "moved"), [(200, 9, False), (200, 10, True), (20, 0, False)])
def test_few_events_move_nothing_however_surprising(n: int, events: int, moved: bool) -> None:
    y = (np.arange(n) < events).astype(int)
    found = shift_of_base_rate(PlattCalibrator(), np.full(n, -7.0), y)
    assert found.moved is moved
    if not moved:
        assert shifted(PlattCalibrator(), found) == PlattCalibrator()
        assert "too few" in found.words


def test_many_events_expected_and_none_found_is_evidence_too() -> None:
    found = shift_of_base_rate(PlattCalibrator(), np.full(1000, -3.0), np.zeros(1000))
    assert found.moved
    assert found.shift < -1


def test_few_events_are_shrunk_towards_no_move() -> None:
    few, many = (
        shift_of_base_rate(PlattCalibrator(), np.full(n, -4.6), (np.arange(n) % 20 == 0).astype(int)).shift
        for n in (200, 20_000)
    )
    assert 0 < few < many
