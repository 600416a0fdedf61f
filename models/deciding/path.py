"""One decision after another: what is known goes in, the decision comes out and the next is told of it.

Who asks brings what is known: the service reads it from its store, a replay keeps it in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from decisions.caps import NOTHING_USED
from decisions.engine import Decision, decide
from decisions.policy import Policy, with_guarantee
from decisions.request import UNKNOWN_SHOP, OrderEvidence, RefundRequest, ShopEvidence
from decisions.tiers import Tier

from ..evidence import BuyerAssessment
from . import record
from .moving import Heard, Moving
from .using import Used


class Model(Protocol):
    """What a decision says of the model that scored."""

    @property
    def version(self) -> str:
        """The registered version."""

    @property
    def catalog_version(self) -> str | None:
        """The features' version."""

    @property
    def guaranteed_cut_off(self) -> float | None:
        """Points that a policy which leaves the cut-off to the model uses."""


@dataclass(slots=True)
class Evidence:
    """What is known when a request comes. Not frozen: one is made for every decision and lives no longer.

    Attributes
    ----------
    buyer : BuyerAssessment
        By what was known before `request.requested_at`.
    order : OrderEvidence
        What the log and earlier decisions say of the order.
    latest_tier : str or None
        Of the buyer's newest decision, among those kept, if it counts (`decisions.tiers.counted`).
    heard : Heard
        The buyer's standing.
    model : Model
        The one that scored.
    """

    buyer: BuyerAssessment
    order: OrderEvidence
    latest_tier: Tier | None
    heard: Heard
    model: Model


@dataclass(slots=True)
class Ahead:
    """The policy of a group of decisions, and what those made but not kept yet change for the next.

    ``tiers`` is by buyer; ``used`` is None where the policy limits nothing, ``shops`` where it asks for none.
    """

    policy: Policy
    used: Used | None
    standings: Moving
    tiers: dict[str, Tier] = field(default_factory=dict)
    shops: Mapping[str, ShopEvidence] | None = None
    _completed: dict[float | None, Policy] = field(default_factory=dict)

    def policy_with(self, cut_off: float | None) -> Policy:
        """Give the policy as it is with a model that guarantees this cut-off."""
        policy = self._completed.get(cut_off)
        if policy is None:
            policy = self._completed[cut_off] = with_guarantee(self.policy, cut_off)
        return policy


def decide_next(
    request: RefundRequest, found: Evidence, ahead: Ahead, *, decided_at: datetime
) -> tuple[record.Case, Decision]:
    """Decide, and let the next decision of the group know; `record.row_of` writes it down."""
    model, buyer_id = found.model, request.buyer_id
    policy = ahead.policy_with(model.guaranteed_cut_off)
    previous = ahead.tiers.get(buyer_id, found.latest_tier)
    usage = None
    if ahead.used is not None:
        usage = ahead.used.before(request, policy=policy, decided_at=decided_at)
    shop = None
    if ahead.shops is not None:
        shop = ahead.shops.get(request.order.shop_id, UNKNOWN_SHOP)
    standing = ahead.standings.before(buyer_id, found.heard, decided_at=decided_at)
    case = record.Case(
        request=request,
        buyer=found.buyer,
        order=found.order,
        previous_tier=previous,
        model_version=model.version,
        catalog_version=str(model.catalog_version),
        policy=policy,
        decided_at=decided_at,
        usage=usage,
        shop=shop,
        standing=standing,
    )
    made = decide_case(case)
    ahead.tiers[buyer_id] = made.tier
    ahead.standings.after(
        request, made, heard=found.heard, evidence=found.buyer.evidence, decided_at=decided_at
    )
    if ahead.used is not None:
        ahead.used.after(request, made, decided_at=decided_at)
    return case, made


def decide_case(case: record.Case) -> Decision:
    """Decide by all that the case holds: the same again whenever it is asked."""
    return decide(
        case.request,
        buyer=case.buyer.evidence,
        order=case.order,
        policy=case.policy,
        decided_at=case.decided_at,
        previous_tier=case.previous_tier,
        usage=case.usage or NOTHING_USED,
        standing=case.standing,
        shop=case.shop or UNKNOWN_SHOP,
    )
