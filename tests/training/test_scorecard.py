from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from decisions.policy import NOTICE
from features.catalog import CATALOG
from models.scale import points_of
from training.dataset import Dataset
from training.scorecard import Scorecard, scorecard_of

N = 6_000


def rows(seed: int) -> Dataset:
    """Draw buyers whose risk is in the cancellation rate, and of whom a third have no median minutes."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(np.zeros((N, CATALOG.n_features)), columns=list(CATALOG.names))
    X["cancellation_rate_ratio_365d"] = rng.uniform(0, 0.6, N)
    X["orders_completed_count_life"] = rng.integers(3, 40, N)
    X["days_since_first_order_paid"] = 200.0
    X["cancel_minutes_median_life"] = np.where(rng.random(N) < 1 / 3, np.nan, rng.uniform(1, 90, N))
    chance = 1 / (1 + np.exp(5 - 8 * X["cancellation_rate_ratio_365d"]))
    return Dataset(X, (rng.random(N) < chance).astype(np.int64), np.arange(N), np.zeros(N, dtype=np.int64))


class ByCompletion:
    """A model that looks at the wrong thing, so that both disagree."""

    def predict_proba(self, X: pd.DataFrame) -> np.ndarray:
        p = 0.3 / (2 + X["orders_completed_count_life"].to_numpy())
        return np.column_stack([1 - p, p])

    def points(self, X: pd.DataFrame) -> np.ndarray:
        return points_of(self.predict_proba(X)[:, 1])


@pytest.fixture(scope="module")
def card() -> Scorecard:
    return scorecard_of(train=rows(0), test=rows(1), score=ByCompletion(), policy=NOTICE)  # type: ignore[arg-type]


def test_the_card_finds_what_the_risk_is_in_and_says_how_well_it_ranks(card: Scorecard) -> None:
    assert "cancellation_rate_ratio_365d" in {c.name for c in card.characteristics}
    assert card.metrics["roc_auc"].low > 0.7 > card.model_metrics["roc_auc"].high


def test_more_of_what_is_worse_never_gives_more_points(card: Scorecard) -> None:
    for found in card.characteristics:
        direction = CATALOG.features[CATALOG.index[found.name]].direction
        points = [line.points for line in found.bins if not line.undefined]
        assert direction == 0 or points == sorted(points, reverse=direction > 0)


def test_every_row_learned_from_is_on_one_line_of_each_characteristic(card: Scorecard) -> None:
    for found in card.characteristics:
        assert sum(line.n for line in found.bins) == N
        assert sum(line.events for line in found.bins) == rows(0).y.sum()


def test_disagreement_compares_equally_many_approved(card: Scorecard) -> None:
    both, model, only_card, neither = card.agreement
    assert model.n == only_card.n > 0
    assert both.n + model.n + only_card.n + neither.n == N
    assert model.rate is not None
    assert only_card.rate is not None
    assert model.rate.low > only_card.rate.high  # the card knew better


def test_where_nobody_has_enough_history_both_approve_nobody() -> None:
    new = rows(1)
    new.X["orders_completed_count_life"] = 2
    found = scorecard_of(train=rows(0), test=new, score=ByCompletion())  # type: ignore[arg-type]
    assert [(group.n, group.rate) for group in found.agreement] == [(0, None)] * 4
