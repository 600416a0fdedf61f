from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from decisions.policy import NOTICE
from decisions.request import BuyerEvidence
from decisions.tiers import has_enough_history
from models.buyer_score import BuyerScore
from training.drift import feature_psi, informative, psi, without_information
from training.swap import not_new, swap_set


@pytest.mark.parametrize("completed", [2, 3, 4])
@pytest.mark.parametrize("tenure", [None, 29.999, 30.0, 400.0])
def test_history_is_enough_exactly_where_the_rules_say_so(completed: int, tenure: float | None) -> None:
    row = {"orders_completed_count_life": [float(completed)], "days_since_first_order_paid": [tenure]}
    buyer = BuyerEvidence(
        score=900.0, p_abuse=0.0, completed_orders=completed, tenure_days=tenure, abuse_confirmed=False
    )
    ours = not_new(pd.DataFrame(row, dtype=float), policy=NOTICE)
    assert bool(ours[0]) is has_enough_history(buyer, NOTICE)


def test_a_swap_set_counts_rows_money_and_abusers_on_both_sides() -> None:
    before = np.array([True, True, False, False, True])
    after = np.array([True, False, True, False, False])
    swapped = swap_set(
        before, after, y=np.array([0, 1, 1, 0, 0]), asked_fen=np.array([1, 20, 300, 4000, 50000])
    )
    assert (swapped.kept, swapped.gained, swapped.lost) == (1, 1, 2)
    assert (swapped.gained_fen, swapped.lost_fen) == (300, 50020)
    assert (swapped.gained_abusive, swapped.lost_abusive) == (1, 1)
    assert swapped.share == 1.0


def test_nobody_before_and_somebody_now_is_the_whole_of_it() -> None:
    nobody, all_of_them = np.zeros(2, dtype=bool), np.ones(2, dtype=bool)
    none = np.zeros(2, dtype=np.int64)
    assert swap_set(nobody, all_of_them, y=none, asked_fen=none).share == 1.0
    assert swap_set(nobody, nobody, y=none, asked_fen=none).share == 0.0


def test_psi_is_nothing_for_the_same_and_large_for_another_population() -> None:
    random = np.random.default_rng(0)
    old = random.normal(size=4000)
    assert psi(old, random.permutation(old)) == 0.0
    assert psi(old, random.normal(size=4000)) < 0.02
    assert psi(old, random.normal(0.7, 1, 4000)) > 0.25
    assert psi(old, np.where(random.random(4000) < 0.5, np.nan, old)) > 0.25
    assert psi(np.full(9, np.nan), np.full(9, np.nan)) == 0.0


def test_psi_of_two_bins_is_the_textbooks_number() -> None:
    old, new = np.repeat([0.0, 1.0], [500, 500]), np.repeat([0.0, 1.0], [400, 600])
    assert psi(old, new) == pytest.approx(0.1 * np.log(0.6 / 0.5) - 0.1 * np.log(0.4 / 0.5), abs=1e-3)


def test_only_features_in_use_whose_window_is_full_are_compared() -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame(random.normal(size=(500, 4)), columns=["a_30d", "b_365d", "c_life", "idle_30d"])
    X["idle_30d"] = 1.0
    y = (X["a_30d"] + X["b_365d"] + X["c_life"] + random.normal(size=500) > 1).astype(int)
    score = BuyerScore(max_trees=20).fit(X, y)
    assert informative(score) == {"a_30d", "b_365d", "c_life"}
    assert list(feature_psi(score, X, X + 1, history=timedelta(days=364))) == ["a_30d"]
    assert set(feature_psi(score, X, X + 1, history=timedelta(days=365))) == {"a_30d", "b_365d"}


def test_columns_that_say_the_same_of_everybody_are_named() -> None:
    nan = float("nan")
    X = pd.DataFrame({"c": [1.0, 1.0], "m": [nan, nan], "some": [1.0, nan], "fine": [1.0, 2.0]})
    assert without_information(X) == {"c": "constant", "m": "all missing"}
