from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom

from features.errors import BadInput
from models.calibration import BaseRateShift, PlattCalibrator, points_after, shift_of_base_rate
from models.scale import POINTS_PER_LOG_ODD
from training.guarantee import (
    GRID,
    Budget,
    Outcomes,
    betting_p_value,
    binomial_p_value,
    fewest_rows,
    guaranteed_cut_off,
)

BUDGET = Budget(abuser_rate=0.02, loss_per_yuan=0.05)
N_DRAWS = 200


def market(n: int, *, seed: int, flat: float | None = None) -> Outcomes:
    """Draw buyers of a known distribution: both risks rise as points fall, or the first is `flat`."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(620, 850, n)
    chance = expit((660 - points) / 22) if flat is None else np.full(n, flat)
    abuser = rng.random(n) < chance
    refunded = rng.gamma(2.0, 6_000, n) * (rng.random(n) < 0.5)
    lost = refunded * (rng.random(n) < np.where(abuser, 0.6, 0.01))
    return Outcomes(
        points=points,
        eligible=np.ones(n, dtype=bool),
        abuser=abuser,
        refunded_fen=refunded,
        lost_fen=lost,
    )


def shares_of(outcomes: Outcomes) -> list[float]:
    return [float(np.mean(outcomes.points >= cut_off)) for cut_off in GRID]


def risks(population: Outcomes, cut_off: float) -> tuple[float, float]:
    approved = population.points >= cut_off
    refunded = population.refunded_fen[approved]
    counted = np.minimum(1.0, BUDGET.buyer_limit_fen / np.maximum(refunded, 1.0))
    lost = (population.lost_fen[approved] * counted).sum() / (refunded * counted).sum()
    return float(population.abuser[approved].mean()), float(lost)


def breaking(population: Outcomes) -> set[float | None]:
    highest = population.points.max()
    return {cut_off for cut_off in GRID if cut_off < highest and too_risky(population, cut_off)}


def too_risky(population: Outcomes, cut_off: float | None) -> bool:
    if cut_off is None:
        return False
    rate, lost = risks(population, cut_off)
    return rate > BUDGET.abuser_rate or lost > BUDGET.loss_per_yuan


def naive_cut_off(outcomes: Outcomes) -> float | None:
    within = [c for c in GRID if (outcomes.points >= c).sum() > 50 and not too_risky(outcomes, c)]
    return min(within, default=None)


def draws_that_break(population: Outcomes, draws: list[Outcomes]) -> tuple[int, int, int]:
    """Count choices with a risk above the budget, guaranteed and naive, and how often anything is chosen."""
    shares, broken = shares_of(population), breaking(population)
    chosen = [guaranteed_cut_off(draw, budget=BUDGET, shares=shares).cut_off for draw in draws]
    naive = [naive_cut_off(draw) for draw in draws]
    useful = sum(cut_off is not None for cut_off in chosen)
    return sum(c in broken for c in chosen), sum(c in broken for c in naive), useful


def moved_by(draw: Outcomes) -> BaseRateShift:
    """Find by the very rows tested how far the base rate has moved."""
    log_odds = (600 - draw.points) / POINTS_PER_LOG_ODD
    return shift_of_base_rate(PlattCalibrator(), log_odds, draw.abuser)


@pytest.mark.parametrize("off", [-30.0, 30.0])
def test_the_budget_is_kept_although_the_rows_tested_have_moved_the_scale(off: float) -> None:
    n_draws = 60
    population = market(200_000, seed=999)
    population = replace(population, points=population.points + off)
    shares, broken, chosen = shares_of(population), 0, 0
    for seed in range(n_draws):
        draw = market(3_000, seed=seed)
        draw = replace(draw, points=draw.points + off)
        found = moved_by(draw)
        assert found.moved
        places = points_after(GRID, shift=found.shift)
        open_ = [place for place in places if place >= 680.0]
        cut_off = guaranteed_cut_off(
            draw, budget=BUDGET, shares=shares, candidates=GRID[: len(open_)], places=open_
        ).cut_off
        stored = replace(population, points=points_after(population.points, shift=found.shift))
        assert cut_off is None or cut_off in open_
        chosen += cut_off is not None
        broken += too_risky(stored, cut_off)
    assert broken <= binom.ppf(0.99, n_draws, 0.05)
    assert chosen > 0.9 * n_draws


AT_MOST = binom.ppf(0.99, N_DRAWS, 0.05)


def test_over_200_draws_the_budget_is_kept_and_a_naive_choice_breaks_it_often() -> None:
    draws = [market(3_000, seed=seed) for seed in range(N_DRAWS)]
    guaranteed, naive, useful = draws_that_break(market(200_000, seed=999), draws)
    assert guaranteed <= AT_MOST
    assert naive > 2 * AT_MOST
    assert useful > 0.9 * N_DRAWS


def test_where_every_cut_off_is_just_above_the_budget_at_most_5_percent_of_draws_accept_one() -> None:
    flat = BUDGET.abuser_rate * 1.001
    population = replace(market(200_000, seed=999), abuser=np.arange(200_000) % 45 == 0)
    draws = [market(1_500, seed=seed, flat=flat) for seed in range(N_DRAWS)]
    guaranteed, naive, _ = draws_that_break(population, draws)
    assert guaranteed <= AT_MOST
    assert naive > 2 * AT_MOST


@pytest.mark.parametrize("risk", [{"abuser_rate": 1e-4}, {"loss_per_yuan": 1e-4}])
def test_where_no_cut_off_keeps_the_budget_nobody_is_approved_and_it_is_said(risk: dict[str, float]) -> None:
    draw = market(3_000, seed=0)
    found = guaranteed_cut_off(draw, budget=replace(BUDGET, **risk), shares=shares_of(draw))
    assert found.cut_off is None
    assert "approve nobody" in found.words


def test_one_buyer_fewer_than_can_prove_anything_is_refused_in_words() -> None:
    budget = Budget(abuser_rate=0.01, loss_per_yuan=0.9)
    n = fewest_rows(budget)
    clean = market(n, seed=0)
    clean = replace(clean, points=np.full(n, 800.0), abuser=np.zeros(n, dtype=bool))
    ones = [float(cut_off <= 800) for cut_off in GRID]
    with_all = guaranteed_cut_off(clean, budget=budget, shares=ones)
    fewer = replace(clean, eligible=np.arange(n) > 0)
    assert with_all.tested[0].p_abusers <= budget.delta / 4
    less = guaranteed_cut_off(fewer, budget=budget, shares=ones)
    assert less.cut_off is None
    assert f"{n - 1} buyers with enough history are too few, {n} approved ones are needed" in less.words


def test_buyers_without_enough_history_do_not_count() -> None:
    draw = market(1_500, seed=3)
    worse = replace(draw, eligible=draw.points > 700, abuser=draw.abuser | (draw.points <= 700))
    found = guaranteed_cut_off(worse, budget=BUDGET, shares=shares_of(draw))
    assert found.n == (draw.points > 700).sum()
    assert all(line.approved <= found.n for line in found.tested)


def test_the_whole_is_the_same_for_the_same_rows() -> None:
    draw = market(1_500, seed=4)
    first, second = (guaranteed_cut_off(draw, budget=BUDGET, shares=shares_of(draw)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(("mean", "rejected"), [(0.05, (0.0, 0.05)), (0.02, (0.9, 1.0))])
def test_the_betting_test_errs_seldom_and_sees_much(mean: float, rejected: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    p = [betting_p_value(rng.binomial(1, mean, 800) * 1.0, mean=0.05, delta=0.05) for _ in range(300)]
    low, high = rejected
    assert low <= float(np.mean(np.array(p) <= 0.05)) <= high


@pytest.mark.parametrize("wrong", [{"abuser_rate": 0.0}, {"loss_per_yuan": 1.0}, {"confidence": 1.0}])
def test_a_budget_that_nothing_can_prove_or_break_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(BadInput, match="between 0 and 1"):
        Budget(**wrong)


@pytest.mark.parametrize(
    "p", [binomial_p_value(0, 0, budget=0.1), betting_p_value(np.empty(0), mean=0.1, delta=0.05)]
)
def test_no_rows_prove_nothing(p: float) -> None:
    assert p == 1.0
