"""The buyer's standing: may this buyer be refunded automatically at all."""

from __future__ import annotations

from typing import Literal

from .policy import Policy
from .request import BuyerEvidence
from .tiers import has_enough_history

Standing = Literal["new", "eligible", "revoked"]


def standing_of(buyer: BuyerEvidence, policy: Policy) -> Standing:
    """Return ``revoked`` while an abuse confirmation stands; clearing it restores at once."""
    if buyer.abuse_confirmed:
        return "revoked"
    return "eligible" if has_enough_history(buyer, policy) else "new"
