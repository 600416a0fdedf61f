"""The buyer's tier: the score's cut-offs, once there is enough history to speak of."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .policy import Policy
from .request import BuyerEvidence

Tier = Literal["quality", "standard", "low", "new"]


class Given(NamedTuple):
    """A tier that a decision gave, and the version of the policy it went by, as written on the decision."""

    tier: Tier
    policy_version: str


def counted(before: Given | None, policy: Policy) -> Tier | None:
    """Let a tier count as the one before only where the policy in force gave it itself.

    What the kill switch or a model's proven cut-off adds to a version, after a ``+``, is the same policy. A
    tier that a laxer one gave would else outlive it by `tier_hysteresis_points`.
    """
    if before is None or _name(before.policy_version) != _name(policy.version):
        return None
    return before.tier


def tier_of(buyer: BuyerEvidence, policy: Policy, *, previous: Tier | None = None) -> Tier:
    """Return the tier; a buyer with too little history is ``new`` whatever the score says.

    Parameters
    ----------
    previous : Tier, optional
        The buyer's tier before, if it counts (`counted`); quality and low are left only
        `tier_hysteresis_points` beyond the edge by which they are entered. Without it both edges are sharp.
    """
    if not has_enough_history(buyer, policy):
        return "new"
    edge = quality_edge(policy, previous=previous)
    if edge is not None and buyer.score >= edge:
        return "quality"
    low = policy.low_score_max + (policy.tier_hysteresis_points if previous == "low" else 0.0)
    return "low" if buyer.score < low else "standard"


def quality_edge(policy: Policy, *, previous: Tier | None) -> float | None:
    """Give the points from which on a buyer is of the quality tier: less for whoever is of it already.

    None: the policy demands a proven cut-off and there is none, so nobody is.
    """
    entered = policy.quality_score_min
    if entered is None or previous != "quality":
        return entered
    return entered - policy.tier_hysteresis_points


def has_enough_history(buyer: BuyerEvidence, policy: Policy) -> bool:
    """Tell whether completed orders and tenure both reach the policy's minimum."""
    return (
        buyer.completed_orders >= policy.min_completed_orders
        and buyer.tenure_days is not None
        and buyer.tenure_days >= policy.min_tenure_days
    )


def lacks_only_a_payment(buyer: BuyerEvidence, policy: Policy) -> bool:
    """Tell whether a buyer is new only because nothing paid is known, any history being enough."""
    enough = buyer.completed_orders >= policy.min_completed_orders and policy.min_tenure_days == 0.0
    return enough and buyer.tenure_days is None


def _name(version: str) -> str:
    return version.partition("+")[0]
