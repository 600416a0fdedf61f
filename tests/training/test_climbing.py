from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from decisions.policy import NOTICE
from training.climbing import LIMIT, PACE_DAYS, Walk, walks_of


class PointsBy:
    """A score of a single feature: so many points lost for each unit."""

    def __init__(self, feature: str, *, start: float, each: float) -> None:
        self.feature, self.start, self.each = feature, start, each

    def points(self, X: pd.DataFrame) -> np.ndarray:
        return self.start + self.each * X[self.feature].to_numpy()


def walked(score: PointsBy, **policy: float) -> dict[str, Walk]:
    return {walk.name: walk for walk in walks_of(score, policy=replace(NOTICE, **policy))}  # type: ignore[arg-type]


def test_a_tier_costs_as_many_cheap_orders_as_the_score_asks_for() -> None:
    walks = walked(PointsBy("orders_completed_count_life", start=600.0, each=10.0))
    assert (walks["new"].steps, walks["canceller"].steps, walks["racer"].steps) == (14, 14 - 4, 14 - 7)
    new = walks["new"]
    assert (new.tier_before, new.tier_after, new.points_after) == ("new", "quality", 740.0)
    assert (new.days, new.spent_fen) == (14 * PACE_DAYS, 14 * 1_000)


def test_without_enough_history_no_score_is_enough() -> None:
    new = walked(PointsBy("orders_completed_count_life", start=899.0, each=0.0))["new"]
    assert (new.tier_before, new.steps) == ("new", 11)  # thirty days of tenure at an order every three


def test_a_good_buyer_falls_by_the_cancellation_that_crosses_the_edge() -> None:
    score = PointsBy("cancellations_count_life", start=760.0, each=-10.0)
    assert {n: w.steps for n, w in walked(score).items() if not w.climbs} == {
        "kept_12": 4, "kept_30": 4, "kept_100": 4, "kept_30_near_cap": 4
    }  # fmt: skip


@pytest.mark.parametrize(("points", "steps"), [(0.0, 3), (9.9, 3), (10.0, 4), (20.0, 5)])
def test_hysteresis_lets_a_quality_user_keep_the_tier_for_longer(points: float, steps: int) -> None:
    score = PointsBy("cancellations_count_life", start=760.0, each=-10.0)
    assert walked(score, tier_hysteresis_points=points)["kept_30"].steps == steps


def test_what_never_changes_is_given_up_and_said() -> None:
    walks = walked(PointsBy("cancellations_count_life", start=700.0, each=0.0))
    assert walks["racer"].steps is None
    assert walks["racer"].days == LIMIT * PACE_DAYS


def test_the_near_cap_walk_cancels_between_270_and_300_yuan() -> None:
    walks = walked(PointsBy("cancelled_near_cap_count_365d", start=760.0, each=-40.0))
    assert (walks["kept_30_near_cap"].steps, walks["kept_30"].steps) == (1, None)
