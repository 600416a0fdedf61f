"""Where a policy refunds automatically at all, and how a request may be dated."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from decisions.limits import ShopLimits
from decisions.policy import Policy
from decisions.request import ShopEvidence

from .scenes import NOW, decided, detail, failed

LIMITS = ShopLimits(max_late_ship_rate=0.1, max_tracking_lag_p90_hours=24.0, max_dispute_rate=0.02)
FINE = {"late_ship_rate": 0.1, "tracking_lag_p90_hours": 24.0, "dispute_rate": 0.02}


def test_the_kill_switch_sends_everything_to_a_person() -> None:
    decision = decided(policy=Policy(version="stop", stopped=True))
    assert (decision.outcome, failed(decision)) == ("manual_review", {"kill_switch"})


@pytest.mark.parametrize(
    ("scope", "within"),
    [
        ({"only_shops": {"s1"}}, True),
        ({"only_shops": {"s2"}}, False),
        ({"excluded_shops": {"s1"}}, False),
        ({"excluded_shops": {"s2"}}, True),
        ({"only_categories": {"c1", "c2"}}, True),
        ({"only_categories": {"c2"}}, False),
        ({"excluded_categories": {"c1"}}, False),
        ({"only_shops": {"s1"}, "excluded_categories": {"c1"}}, False),
    ],
)
def test_lists_of_shops_and_categories_scope_a_policy(scope: dict[str, set[str]], within: bool) -> None:
    policy = Policy(version="scoped", **{name: frozenset(ids) for name, ids in scope.items()})  # type: ignore[arg-type]
    assert failed(decided(policy=policy)) == (set() if within else {"scope"})


def test_an_order_without_a_category_is_in_no_list_of_categories() -> None:
    only = Policy(version="scoped", only_categories=frozenset({"c1"}))
    without = Policy(version="scoped", excluded_categories=frozenset({"c1"}))
    assert failed(decided(policy=only, order={"category_id": None})) == {"scope"}
    assert failed(decided(policy=without, order={"category_id": None})) == set()


@pytest.mark.parametrize(
    ("measured", "within"),
    [
        ({}, True),
        ({"late_ship_rate": 0.1000001}, False),
        ({"tracking_lag_p90_hours": 24.0000001}, False),
        ({"dispute_rate": 0.0200001}, False),
        ({"late_ship_rate": float("nan")}, False),
    ],
)
def test_a_shop_must_keep_every_measured_limit(measured: dict[str, float], within: bool) -> None:
    decision = decided(policy=Policy(version="shops", shop=LIMITS), shop=ShopEvidence(**{**FINE, **measured}))
    assert failed(decision) == (set() if within else {"shop_quality"})


@pytest.mark.parametrize(("unknown", "within"), [("pass", True), ("hold", False)])
@pytest.mark.parametrize("missing", ["late_ship_rate", "tracking_lag_p90_hours", "dispute_rate"])
def test_the_policy_says_what_an_unknown_figure_means(unknown: Any, within: bool, missing: str) -> None:
    limits = ShopLimits(
        max_late_ship_rate=0.1, max_tracking_lag_p90_hours=24.0, max_dispute_rate=0.02, unknown=unknown
    )
    decision = decided(
        policy=Policy(version="shops", shop=limits), shop=ShopEvidence(**{**FINE, missing: None})
    )
    assert failed(decision) == (set() if within else {"shop_quality"})
    assert f"is not known, which the policy lets {unknown}" in detail(decision, "shop_quality")


def test_a_figure_without_a_limit_is_not_looked_at() -> None:
    policy = Policy(version="shops", shop=ShopLimits(max_dispute_rate=0.02, unknown="hold"))
    assert failed(decided(policy=policy, shop=ShopEvidence(dispute_rate=0.01, late_ship_rate=1.0))) == set()


@pytest.mark.parametrize(
    ("ago", "within"),
    [
        (timedelta(days=7), True),
        (timedelta(days=7, microseconds=1), False),
        (timedelta(seconds=-300), True),
        (timedelta(seconds=-300, microseconds=-1), False),
    ],
)
def test_a_policy_bounds_how_long_ago_a_request_may_be_dated(ago: timedelta, within: bool) -> None:
    policy = Policy(version="dated", request_max_age_days=7.0)
    assert failed(decided(policy=policy, asked_at=NOW - ago)) == (set() if within else {"request_time"})


def test_the_notice_takes_a_request_of_a_year_ago() -> None:
    assert failed(decided(asked_at=NOW - timedelta(days=365))) == set()
