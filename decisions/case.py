"""What a rule looks at and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .caps import NOTHING_USED, Usage
from .policy import Policy
from .request import UNKNOWN_SHOP, BuyerEvidence, OrderEvidence, RefundRequest, ShopEvidence
from .standing import State
from .tiers import Tier
from .value import value


@dataclass(slots=True)
class Case:
    """Everything that a rule may look at.

    Not frozen, unlike all else here: one is made for every decision and lives no longer, and freezing costs
    as much time as three rules.
    """

    request: RefundRequest
    buyer: BuyerEvidence
    order: OrderEvidence
    tier: Tier
    standing: State
    policy: Policy
    decided_at: datetime
    previous_tier: Tier | None = None
    usage: Usage = NOTHING_USED
    shop: ShopEvidence = UNKNOWN_SHOP


@value()
class Verdict:
    """One rule's answer; ``detail`` says what was found and what the rule wants."""

    code: str
    passed: bool
    detail: str
