"""Caps, credit line, open cases and budgets as tables, with the boundary itself; 10,000 fen are asked."""

from __future__ import annotations

from typing import Any

import pytest

from decisions.caps import Losses, Usage
from decisions.limits import Budgets, Caps, CreditLine, OpenCases
from decisions.policy import NOTICE, Policy
from decisions.rules import RULES
from decisions.standing import Standing

from .scenes import GOOD, decided, detail, failed


def policy(**parts: Any) -> Policy:
    return Policy(version="strict", **parts)


@pytest.mark.parametrize(
    ("cap", "used", "within"),
    [
        ({"refunds_per_day": 2}, {"refunds_day": 1}, True),
        ({"refunds_per_day": 2}, {"refunds_day": 2}, False),
        ({"refunds_per_day": 0}, {}, False),
        ({"fen_per_day": 10_000}, {}, True),
        ({"fen_per_day": 9_999}, {}, False),
        ({"fen_per_day": 30_000}, {"fen_day": 20_000}, True),
        ({"fen_per_day": 30_000}, {"fen_day": 20_001}, False),
        ({"refunds_per_7_days": 3}, {"refunds_7_days": 2}, True),
        ({"refunds_per_7_days": 3}, {"refunds_7_days": 3}, False),
        ({"fen_per_7_days": 30_000}, {"fen_7_days": 20_000}, True),
        ({"fen_per_7_days": 30_000}, {"fen_7_days": 20_001}, False),
        ({"refunds_per_30_days": 3}, {"refunds_30_days": 2}, True),
        ({"refunds_per_30_days": 3}, {"refunds_30_days": 3}, False),
        ({"fen_per_30_days": 30_000}, {"fen_30_days": 20_000}, True),
        ({"fen_per_30_days": 30_000}, {"fen_30_days": 20_001}, False),
        ({"fen_per_day": 30_000}, {"refunds_day": 9, "fen_7_days": 10**9, "unsettled_fen": 10**9}, True),
    ],
)
def test_a_cap_may_be_reached_and_not_passed_by_one_fen(
    cap: dict[str, int], used: dict[str, int], within: bool
) -> None:
    decision = decided(policy=policy(caps=Caps(**cap)), usage=Usage(**used))
    assert failed(decision) == (set() if within else {"caps"})
    assert decision.outcome == ("auto_refund" if within else "manual_review")


def test_the_verdict_on_caps_says_what_would_be_used_of_each() -> None:
    caps = Caps(refunds_per_day=2, fen_per_30_days=60_000)
    decision = decided(policy=policy(caps=caps), usage=Usage(refunds_day=2, fen_30_days=30_000))
    assert detail(decision, "caps") == "with this refund 3 of 2 refunds today, 40000 of 60000 fen in 30 days"


@pytest.mark.parametrize(("others", "within"), [(0, True), (1, False)])
def test_one_open_case_at_a_time_holds_the_second(others: int, within: bool) -> None:
    one = policy(open_cases=OpenCases(one_at_a_time=True))
    decision = decided(policy=one, usage=Usage(open_cases=others))
    assert failed(decision) == (set() if within else {"open_case"})


@pytest.mark.parametrize(
    ("line", "unsettled", "within"),
    [
        ({"quality": 10_000}, 0, True),
        ({"quality": 10_000}, 1, False),
        ({"quality": 9_999}, 0, False),
        ({"standard": 0}, 10**9, True),
    ],
)
def test_the_credit_line_of_the_tier_bounds_what_is_not_settled(
    line: dict[str, int], unsettled: int, within: bool
) -> None:
    decision = decided(policy=policy(credit_line=CreditLine(**line)), usage=Usage(unsettled_fen=unsettled))
    assert failed(decision) == (set() if within else {"credit_line"})


BUDGETS = [
    (f"{who}_loss_fen_per_{window}", who, field)
    for who in ("shop", "platform")
    for window, field in (("day", "day"), ("7_days", "days_7"), ("30_days", "days_30"))
]


@pytest.mark.parametrize(("budget", "who", "window"), BUDGETS)
@pytest.mark.parametrize(("lost", "within"), [(4_999, True), (5_000, False), (5_001, False)])
def test_the_circuit_breaker_opens_when_the_budget_is_lost(
    budget: str, who: str, window: str, lost: int, within: bool
) -> None:
    usage = Usage(**{who: Losses(**{window: lost})})
    decision = decided(policy=policy(budgets=Budgets(**{budget: 5_000})), usage=usage)
    assert failed(decision) == (set() if within else {"budget"})


@pytest.mark.parametrize(
    ("state", "asked", "within"),
    [
        ("eligible", 1, True),
        ("watch", 1, True),
        ("watch", 2, False),
        ("probation", 0, True),
        ("probation", 1, False),
    ],
)
def test_watched_buyers_and_those_on_probation_have_a_share_of_the_caps(
    state: Any, asked: int, within: bool
) -> None:
    standing = NOTICE.standing.__class__(watch_caps_percent=75, probation_caps_percent=50)
    strict = policy(caps=Caps(refunds_per_day=3), standing=standing)
    decision = decided(policy=strict, usage=Usage(refunds_day=asked), standing=Standing(state=state))
    assert failed(decision) == (set() if within else {"caps"})
    assert decision.standing == state


def test_a_share_of_the_credit_line_is_rounded_down() -> None:
    strict = policy(credit_line=CreditLine(quality=20_001))
    for line, unsettled in ((10_000, 0), (10_000, 1)):
        decision = decided(
            policy=strict, usage=Usage(unsettled_fen=unsettled), standing=Standing(state="probation")
        )
        assert ("credit_line" in failed(decision)) == (unsettled + 10_000 > line)


def test_the_notice_asks_its_nine_rules_and_looks_at_no_usage() -> None:
    drained = Usage(refunds_day=10**6, fen_day=10**15, unsettled_fen=10**15, open_cases=9)
    decision = decided(usage=drained)
    assert [v.code for v in decision.rules] == list(RULES)
    assert decision.outcome == "auto_refund"
    assert (NOTICE.needs_usage, NOTICE.needs_shop, NOTICE.asks) == (False, False, frozenset())


def test_what_a_policy_turns_on_is_asked_after_the_notices_rules() -> None:
    full = policy(
        stopped=True,
        caps=Caps(refunds_per_day=1),
        open_cases=OpenCases(one_at_a_time=True),
        credit_line=CreditLine(quality=1),
        budgets=Budgets(shop_loss_fen_per_day=1),
    )
    codes = [v.code for v in decided(policy=full, buyer=GOOD).rules]
    assert codes == [*RULES, "kill_switch", "caps", "open_case", "credit_line", "budget"]
    assert full.needs_usage
