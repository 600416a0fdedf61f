"""A lot that leaves a share of what would be refunded at once to a person."""

from __future__ import annotations

import hashlib

import pytest

from decisions.engine import BY_LOT, MESSAGES
from decisions.exploration import drawn
from decisions.limits import Exploration
from decisions.policy import NOTICE, Policy
from decisions.policy_file import canonical, parse

from .scenes import decided, detail, failed

A1 = int.from_bytes(hashlib.sha256(b"7:a1").digest(), "big") / 2.0**256
"""What the scene's after-sale draws by seed 7."""


def lot(share: float) -> Policy:
    return Policy(version="lot", exploration=Exploration(review_share=share, seed=7))


@pytest.mark.parametrize(
    ("share", "outcome", "propensity"),
    [
        (A1 - 1e-9, "auto_refund", 1.0 - (A1 - 1e-9)),
        (A1 + 1e-9, "manual_review", A1 + 1e-9),
        (0.0, "auto_refund", 1.0),
        (1.0, "manual_review", 1.0),
    ],
)
def test_whom_the_lot_meets_goes_to_a_person_and_both_outcomes_have_their_probability(
    share: float, outcome: str, propensity: float
) -> None:
    decision = decided(policy=lot(share))
    assert (decision.outcome, decision.propensity) == (outcome, propensity)
    assert failed(decision) == (set() if outcome == "auto_refund" else {"exploration"})
    assert f"drew {A1:.6f} by seed 7" in detail(decision, "exploration")


def test_the_lot_refunds_nothing_that_another_rule_holds() -> None:
    decision = decided(policy=lot(0.0), order={"shipping_status": "shipped"})
    assert (decision.outcome, decision.propensity) == ("manual_review", 1.0)
    assert decision.message == MESSAGES["manual_review"]


def test_whom_only_the_lot_holds_is_not_told_of_a_condition_that_was_not_met() -> None:
    assert decided(policy=lot(1.0)).message == BY_LOT
    assert decided(policy=lot(1.0), order={"paid_amount_fen": 30_000}).message == MESSAGES["manual_review"]


def test_the_notice_draws_no_lot_and_its_text_stays_as_it_was() -> None:
    assert "exploration" not in {verdict.code for verdict in decided().rules}
    assert decided().propensity == 1.0
    assert "exploration" not in canonical(NOTICE)


def test_draws_are_spread_evenly_and_differ_by_seed() -> None:
    many = [drawn(1, f"a{n}") for n in range(10_000)]
    for tenth in range(10):
        assert 900 < sum(tenth / 10 <= one < (tenth + 1) / 10 for one in many) < 1_100
    assert drawn(1, "a1") == drawn(1, "a1") != drawn(2, "a1")


def test_a_policy_file_turns_it_on() -> None:
    read = parse('version = "r"\n[exploration]\nreview_share = 0.25\nseed = 3', source="p")
    assert (read.exploration.review_share, read.exploration.seed) == (0.25, 3)
    assert parse(canonical(read), source="p") == read
