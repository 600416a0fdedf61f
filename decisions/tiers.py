"""The buyer's tier: the score's cut-offs, once there is enough history to speak of."""

from __future__ import annotations

from typing import Literal

from .policy import Policy
from .request import BuyerEvidence

Tier = Literal["quality", "standard", "low", "new"]


def tier_of(buyer: BuyerEvidence, policy: Policy) -> Tier:
    """Return the tier; a buyer with too little history is ``new`` whatever the score says."""
    if not has_enough_history(buyer, policy):
        return "new"
    if buyer.score >= policy.quality_score_min:
        return "quality"
    return "low" if buyer.score < policy.low_score_max else "standard"


def has_enough_history(buyer: BuyerEvidence, policy: Policy) -> bool:
    """Tell whether completed orders and tenure both reach the policy's minimum."""
    return (
        buyer.completed_orders >= policy.min_completed_orders
        and buyer.tenure_days is not None
        and buyer.tenure_days >= policy.min_tenure_days
    )
