"""A policy of one market on a log of another."""

from __future__ import annotations

import numpy as np
import pytest

from backtest.fitting import Fit, LogFacts
from decisions.policy import NOTICE, Policy
from decisions.policy_file import PolicyError, parse
from models.scale import probability_of

FEN = np.arange(1, 1001) * 1_000
"""Orders of 10 to 10,000 yuan."""


def facts(*kinds: str) -> LogFacts:
    return LogFacts(frozenset({"order_paid", *kinds}), states_goods=False, fen=FEN)


def fit(*policies: Policy, completes: bool = False, base_rate: float = 0.25) -> Fit:
    return Fit(policies, facts(*(["order_completed"] if completes else [])), base_rate)


@pytest.mark.parametrize(
    ("kind", "task"),
    [
        ("abuse_confirmed", "abuse"),
        ("dispute_closed", "abuse"),
        ("refund_found_shipped", "abuse"),
        ("refund_granted", "cancellation"),
        ("dispute_opened", "cancellation"),
    ],
)
def test_a_log_that_tells_of_abuse_is_asked_about_it(kind: str, task: str) -> None:
    assert facts(kind).task == task


def test_as_many_orders_lie_below_the_fitted_cap_as_below_the_notices_on_its_market() -> None:
    (fitted,) = fit(NOTICE).policies
    assert np.mean(fitted.cap_fen > FEN) == pytest.approx(0.971, abs=0.002)
    assert fitted.version == f"{NOTICE.version}~fitted"


def test_the_fitted_quality_tier_begins_at_the_base_rate_and_distances_stay() -> None:
    (fitted,) = fit(NOTICE).policies
    assert fitted.quality_score_min is not None
    assert NOTICE.quality_score_min is not None
    assert probability_of(fitted.quality_score_min) == pytest.approx(0.25, abs=0.004)
    assert fitted.quality_score_min - fitted.low_score_max == NOTICE.quality_score_min - NOTICE.low_score_max


def test_a_stricter_policy_stays_stricter_by_as_much() -> None:
    text = 'version = "s"\ncap_fen = 15_000\nquality_score_min = 760\n[caps]\nfen_per_day = 1_000'
    notice, strict = fit(NOTICE, parse(text, source="s")).policies
    assert strict.cap_fen / notice.cap_fen == pytest.approx(0.5, abs=1e-4)
    assert strict.quality_score_min == (notice.quality_score_min or 0) + 20
    assert strict.caps.fen_per_day == pytest.approx(1_000 * fit(NOTICE).times, abs=50)
    assert strict.caps.refunds_per_day is None


def test_completed_orders_are_asked_for_only_where_the_log_has_some() -> None:
    assert fit(NOTICE).policies[0].min_completed_orders == 0
    assert fit(NOTICE, completes=True).policies[0].min_completed_orders == 3


@pytest.mark.parametrize(("cap", "is_fitted"), [(500_000, True), (500_001, False)])
def test_a_policy_whose_cap_lets_half_of_the_orders_pass_is_replayed_as_written(
    cap: int, is_fitted: bool
) -> None:
    written = parse(f'version = "own"\ncap_fen = {cap}', source="own")
    (found,) = fit(written).policies
    assert (found == written) is not is_fitted


def test_the_report_says_what_was_changed_and_no_file_may_have_a_fitted_version() -> None:
    to = fit(NOTICE)
    (said,) = to.said(to.policies)["policies"]
    assert [d["setting"] for d in said["changes"]] == [
        *("cap_fen", "quality_score_min", "low_score_max", "min_completed_orders"),
    ]
    with pytest.raises(PolicyError, match="must be 1 to 64 letters"):
        parse('version = "own~fitted"', source="own")
