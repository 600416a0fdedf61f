"""The hard rules as tables, with the boundary itself."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from decisions.engine import Decision, decide
from decisions.policy import NOTICE, Policy
from decisions.rules import RULES
from decisions.tiers import Tier
from tests.decisions import scenes
from tests.decisions.scenes import GOOD, NOW, UNKNOWN_ORDER, failed

ORDER = replace(scenes.ORDER, paid_amount_fen=29_999)
REQUEST = replace(scenes.REQUEST, refund_amount_fen=29_999, order=ORDER)


def decided(
    *,
    request: dict[str, Any] | None = None,
    order: dict[str, Any] | None = None,
    buyer: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
    policy: Policy = NOTICE,
) -> Decision:
    asked = replace(REQUEST, **(request or {}), order=replace(ORDER, **(order or {})))
    return decide(
        asked,
        buyer=replace(GOOD, **(buyer or {})),
        order=replace(UNKNOWN_ORDER, **(known or {})),
        policy=policy,
        decided_at=NOW,
    )


def test_a_quality_user_is_refunded_at_once_with_the_exact_words_of_the_notice() -> None:
    decision = decided()
    assert decision.outcome == "auto_refund"
    assert decision.message.zh == (
        "该用户为平台优质用户且订单满足极速退款条件,平台已自动审核通过卖家发货前仅退款申请"
    )
    assert decision.propensity == 1.0


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"order": {"paid_amount_fen": 29_999}}, set()),
        ({"order": {"paid_amount_fen": 30_000}}, {"amount_below_cap"}),
        ({"order": {"paid_amount_fen": 30_001}}, {"amount_below_cap"}),
        ({"request": {"refund_type": "return_and_refund"}}, {"refund_only"}),
        ({"order": {"goods_type": "virtual"}}, {"goods_type"}),
        ({"order": {"goods_type": "customized"}}, {"goods_type"}),
        ({"order": {"shipping_status": "partially_shipped"}}, {"unshipped"}),
        ({"order": {"shipping_status": "shipped"}}, {"unshipped"}),
        ({"known": {"shipped": True}}, {"agrees_with_history"}),
        ({"known": {"of_another_buyer": True}}, {"agrees_with_history"}),
        ({"known": {"paid_amount_fen": 29_999}}, set()),
        ({"known": {"paid_amount_fen": 29_998}}, {"agrees_with_history"}),
        ({"known": {"refunded_fen": 1}}, {"agrees_with_history"}),
        ({"known": {"refunded_fen": 1}, "request": {"refund_amount_fen": 29_998}}, set()),
        ({"request": {"requested_at": ORDER.paid_at}}, set()),
        ({"request": {"requested_at": ORDER.paid_at - timedelta(microseconds=1)}}, {"request_time"}),
        ({"request": {"requested_at": NOW + timedelta(seconds=300)}}, set()),
        ({"request": {"requested_at": NOW + timedelta(seconds=300, microseconds=1)}}, {"request_time"}),
        ({"policy": replace(NOTICE, excluded_shops=frozenset({"s1"}))}, {"scope"}),
        ({"policy": replace(NOTICE, excluded_categories=frozenset({"c1"}))}, {"scope"}),
        ({"policy": replace(NOTICE, excluded_shops=frozenset({"s2"}))}, set()),
        ({"buyer": {"abuse_confirmed": True}}, {"standing"}),
        ({"buyer": {"score": 740.0}}, set()),
        ({"buyer": {"score": 739.999}}, {"quality_user"}),
        ({"buyer": {"completed_orders": 3, "tenure_days": 30.0}}, set()),
        ({"buyer": {"completed_orders": 2}}, {"quality_user"}),
        ({"buyer": {"tenure_days": 29.999}}, {"quality_user"}),
        ({"buyer": {"tenure_days": None}}, {"quality_user"}),
    ],
)
def test_each_rule_turns_at_its_boundary(changed: dict[str, Any], codes: set[str]) -> None:
    decision = decided(**changed)
    assert failed(decision) == codes
    assert decision.outcome == ("manual_review" if codes else "auto_refund")


def test_under_the_notice_every_verdict_keeps_its_words_to_the_byte() -> None:
    assert [(v.code, v.passed, v.detail) for v in decided().rules] == [
        ("refund_only", True, "refund type is refund_only, must be refund_only"),
        ("goods_type", True, "goods are physical, must not be virtual or customized"),
        ("amount_below_cap", True, "29999 fen paid, must be below 30000 fen"),
        ("unshipped", True, "shipping status is unshipped, must be unshipped"),
        ("agrees_with_history", True, "nothing in the event log contradicts the request"),
        (
            "request_time",
            True,
            "requested at 2026-09-06T12:00:00+00:00, must not be after 2026-09-06T12:05:00+00:00",
        ),
        ("scope", True, "shop and category are in scope"),
        ("standing", True, "standing is eligible, must not be revoked"),
        ("quality_user", True, "tier is quality at 800.0 points, quality starts at 740.0"),
    ]


def test_every_rule_is_reported_whichever_fails_first() -> None:
    decision = decided(
        request={"refund_type": "return_and_refund"},
        order={"paid_amount_fen": 30_000, "goods_type": "virtual", "shipping_status": "shipped"},
        buyer={"score": 300.0, "abuse_confirmed": True},
    )
    assert [v.code for v in decision.rules] == list(RULES)
    assert failed(decision) == {
        "refund_only", "goods_type", "amount_below_cap", "unshipped", "standing", "quality_user"
    }  # fmt: skip
    assert all(v.detail for v in decision.rules)


@pytest.mark.parametrize(
    ("buyer", "tier", "standing"),
    [
        ({}, "quality", "eligible"),
        ({"score": 739.9}, "standard", "eligible"),
        ({"score": 680.0}, "standard", "eligible"),
        ({"score": 679.9}, "low", "eligible"),
        ({"completed_orders": 0, "tenure_days": None}, "new", "new"),
        ({"abuse_confirmed": True}, "quality", "revoked"),
        ({"completed_orders": 0, "abuse_confirmed": True}, "new", "revoked"),
    ],
)
def test_tier_and_standing_follow_from_the_evidence(buyer: dict[str, Any], tier: str, standing: str) -> None:
    decision = decided(buyer=buyer)
    assert (decision.tier, decision.standing) == (tier, standing)


NO_MINIMUM = replace(NOTICE, min_completed_orders=0, min_tenure_days=0.0)


@pytest.mark.parametrize(
    ("policy", "completed", "tenure", "said"),
    [
        (NO_MINIMUM, 0, None, "nothing that the buyer paid is known"),
        (NO_MINIMUM, 4, None, "nothing that the buyer paid is known"),
        (NOTICE, 0, None, "0 completed orders over 0 days, must be at least 3 over 30 days"),
        (NOTICE, 2, 31.0, "2 completed orders over 31 days, must be at least 3 over 30 days"),
        (
            replace(NO_MINIMUM, min_completed_orders=1),
            0,
            None,
            "0 completed orders over 0 days, must be at least 1 over 0 days",
        ),
        (
            replace(NO_MINIMUM, min_tenure_days=1.0),
            0,
            None,
            "0 completed orders over 0 days, must be at least 0 over 1 days",
        ),
    ],
)
def test_a_new_buyers_verdict_says_what_is_missing(
    policy: Policy, completed: int, tenure: float | None, said: str
) -> None:
    decision = decided(policy=policy, buyer={"completed_orders": completed, "tenure_days": tenure})
    assert failed(decision) == {"quality_user"}
    assert [v.detail for v in decision.rules if v.code == "quality_user"] == [f"not enough history: {said}"]


def test_a_buyer_who_just_paid_has_history_enough_where_none_is_asked_for() -> None:
    assert not failed(decided(policy=NO_MINIMUM, buyer={"completed_orders": 0, "tenure_days": 0.0}))


def test_without_a_proven_cut_off_the_verdict_says_so_in_words() -> None:
    decision = decided(policy=replace(NOTICE, quality_score_min=None))
    assert failed(decision) == {"quality_user"}
    (verdict,) = (v for v in decision.rules if v.code == "quality_user")
    assert verdict.detail == "tier is standard at 800.0 points, no cut-off is proven to keep the loss budget"


@pytest.mark.parametrize(
    ("previous", "score", "outcome", "said"),
    [
        (None, 740.0, "auto_refund", "tier is quality at 740.0 points, quality starts at 740.0"),
        (None, 735.0, "manual_review", "tier is standard at 735.0 points, quality starts at 740.0"),
        ("standard", 735.0, "manual_review", "tier is standard at 735.0 points, quality starts at 740.0"),
        ("quality", 735.0, "auto_refund", "tier is quality at 735.0 points, quality is kept down to 730.0"),
        (
            "quality",
            729.9,
            "manual_review",
            "tier is standard at 729.9 points, quality is kept down to 730.0",
        ),
    ],
)
def test_a_quality_user_is_refunded_down_to_where_the_tier_is_left_and_the_verdict_names_that_edge(
    previous: Tier | None, score: float, outcome: str, said: str
) -> None:
    decision = decide(
        REQUEST,
        buyer=replace(GOOD, score=score),
        order=UNKNOWN_ORDER,
        policy=NOTICE,
        decided_at=NOW,
        previous_tier=previous,
    )
    assert decision.outcome == outcome
    assert [v.detail for v in decision.rules if v.code == "quality_user"] == [said]
