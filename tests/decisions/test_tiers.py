"""The tier's edges: sharp without a previous tier, sticky with one, and closed without a proven cut-off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from decisions.policy import GUARANTEED, NOTICE, SHIPPED, with_guarantee
from decisions.request import BuyerEvidence
from decisions.tiers import Given, Tier, counted, quality_edge, tier_of

TIERS: tuple[Tier, ...] = ("quality", "standard", "low", "new")
SHARP = replace(NOTICE, tier_hysteresis_points=0.0)


def buyer(score: float, *, completed: int = 12) -> BuyerEvidence:
    return BuyerEvidence(
        score=score, p_abuse=0.01, completed_orders=completed, tenure_days=90.0, abuse_confirmed=False
    )


@pytest.mark.parametrize(
    ("previous", "score", "tier"),
    [
        (None, 740.0, "quality"),
        (None, 739.9, "standard"),
        ("standard", 739.9, "standard"),
        ("standard", 740.0, "quality"),
        ("quality", 739.9, "quality"),
        ("quality", 730.0, "quality"),
        ("quality", 729.9, "standard"),
        ("quality", 679.9, "low"),
        ("low", 689.9, "low"),
        ("low", 690.0, "standard"),
        ("low", 740.0, "quality"),
        ("new", 739.9, "standard"),
        (None, 679.9, "low"),
        (None, 680.0, "standard"),
    ],
)
def test_under_the_notice_a_tier_is_entered_at_one_edge_and_left_at_another(
    previous: Tier | None, score: float, tier: Tier
) -> None:
    assert tier_of(buyer(score), NOTICE, previous=previous) == tier


@pytest.mark.parametrize("previous", [None, "quality", "standard", "low", "new"])
@pytest.mark.parametrize("score", [300.0, 679.9, 680.0, 739.9, 740.0, 899.0])
def test_without_hysteresis_the_tier_before_counts_for_nothing(previous: Tier | None, score: float) -> None:
    assert tier_of(buyer(score), SHARP, previous=previous) == tier_of(buyer(score), SHARP)


def test_a_quality_user_of_old_with_too_little_history_is_new() -> None:
    assert tier_of(buyer(899.0, completed=2), NOTICE, previous="quality") == "new"


def test_a_policy_that_demands_a_proven_cut_off_approves_nobody_without_one() -> None:
    for policy in (GUARANTEED, with_guarantee(GUARANTEED, None)):
        assert tier_of(buyer(899.9), policy, previous="quality") == "standard"


def test_the_proven_cut_off_is_where_the_tier_is_left() -> None:
    policy = with_guarantee(GUARANTEED, 725.0)
    assert [tier_of(buyer(s), policy, previous="quality") for s in (725.0, 724.9)] == ["quality", "standard"]
    assert [tier_of(buyer(s), policy) for s in (735.0, 734.9)] == ["quality", "standard"]


@pytest.mark.parametrize(("cut_off", "named"), [(725.0, "725"), (712.5, "712.5"), (None, "none")])
def test_the_version_names_the_cut_off_that_came_from_a_model(cut_off: float | None, named: str) -> None:
    assert with_guarantee(GUARANTEED, cut_off).version == f"notice-2023-09-06-guaranteed+guaranteed-{named}"


@pytest.mark.parametrize(("previous", "edge"), [(None, 740.0), ("standard", 740.0), ("quality", 730.0)])
def test_the_edge_that_applies_depends_on_the_tier_before(previous: Tier | None, edge: float) -> None:
    assert quality_edge(NOTICE, previous=previous) == edge
    assert quality_edge(GUARANTEED, previous=previous) is None


@pytest.mark.parametrize(
    ("before", "now", "counts"),
    [
        ("a-1", "a-1", True),
        ("a-1", "a-2", False),
        ("a-1", "a-10", False),
        ("a-1+stopped", "a-1", True),
        ("a-1", "a-1+stopped", True),
        ("a-1+guaranteed-695", "a-1+guaranteed-725", True),
        ("a-1+guaranteed-none", "a-1+stopped+guaranteed-725", True),
        ("b+stopped", "a-1+stopped", False),
    ],
)
def test_a_tier_counts_as_the_one_before_only_where_the_same_policy_gave_it(
    before: str, now: str, counts: bool
) -> None:
    policy = replace(NOTICE, version=now)
    for tier in TIERS:
        assert counted(Given(tier, before), policy) == (tier if counts else None)
    assert counted(None, policy) is None


@pytest.mark.parametrize(("score", "tier"), [(730.0, "standard"), (739.9, "standard"), (740.0, "quality")])
def test_whom_a_laxer_policy_let_in_must_enter_by_the_edge_of_the_one_in_force(
    score: float, tier: Tier
) -> None:
    given = Given("quality", "lax-1")
    assert tier_of(buyer(score), NOTICE, previous=counted(given, NOTICE)) == tier


def test_each_shipped_policy_has_a_name_of_its_own() -> None:
    assert {NOTICE.version: NOTICE, GUARANTEED.version: GUARANTEED} == SHIPPED


def test_a_stated_cut_off_stays_as_stated() -> None:
    assert with_guarantee(NOTICE, 800.0) == NOTICE
