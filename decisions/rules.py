"""Each hard rule as one small function: a case goes in, a verdict that carries its reason comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .caps import NOTHING_USED, Usage
from .policy import Policy
from .request import UNKNOWN_SHOP, BuyerEvidence, OrderEvidence, RefundRequest, ShopEvidence
from .standing import State
from .tiers import Tier


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Everything that a rule may look at."""

    request: RefundRequest
    buyer: BuyerEvidence
    order: OrderEvidence
    tier: Tier
    standing: State
    policy: Policy
    decided_at: datetime
    usage: Usage = NOTHING_USED
    shop: ShopEvidence = UNKNOWN_SHOP


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule's answer; ``detail`` says what was found and what the rule wants."""

    code: str
    passed: bool
    detail: str


Rule = Callable[[Case], tuple[bool, str]]


def refund_only(case: Case) -> tuple[bool, str]:
    """Notice 1.3: only refunds without a return."""
    found = case.request.refund_type
    return found == "refund_only", f"refund type is {found}, must be refund_only"


def goods_type(case: Case) -> tuple[bool, str]:
    """Notice 1.2: customized and virtual goods are excluded."""
    found, excluded = case.request.order.goods_type, case.policy.excluded_goods_types
    return found not in excluded, f"goods are {found}, must not be {' or '.join(excluded)}"


def amount_below_cap(case: Case) -> tuple[bool, str]:
    """Notice 1.4: paid below 300 yuan."""
    found, cap = case.request.order.paid_amount_fen, case.policy.cap_fen
    return found < cap, f"{found} fen paid, must be below {cap} fen"


def unshipped(case: Case) -> tuple[bool, str]:
    """Notice 1.4: unshipped by the merchant back end; partially shipped is not unshipped."""
    found = case.request.order.shipping_status
    return found == "unshipped", f"shipping status is {found}, must be unshipped"


def agrees_with_history(case: Case) -> tuple[bool, str]:
    """Where the request and the event log disagree, the stricter wins."""
    conflicts = [
        text
        for wrong, text in (
            (case.order.of_another_buyer, "the event log has the order as another buyer's"),
            (case.order.shipped, "the event log has the order as shipped"),
            (_exceeds_paid(case), f"{case.order.refunded_fen} fen are known to be refunded already"),
            (_paid_differs(case), f"{case.order.paid_amount_fen} fen are known to be paid"),
        )
        if wrong
    ]
    return not conflicts, "; ".join(conflicts) or "nothing in the event log contradicts the request"


def _paid_differs(case: Case) -> bool:
    known = case.order.paid_amount_fen
    return known is not None and known != case.request.order.paid_amount_fen


def _exceeds_paid(case: Case) -> bool:
    asked = case.request.refund_amount_fen
    return case.order.refunded_fen + asked > case.request.order.paid_amount_fen


def request_time(case: Case) -> tuple[bool, str]:
    """A request is dated after the payment and not ahead of the service's clock."""
    asked, paid = case.request.requested_at, case.request.order.paid_at
    if asked < paid:
        return False, f"requested at {asked.isoformat()}, before the payment at {paid.isoformat()}"
    latest = case.decided_at + timedelta(seconds=case.policy.clock_tolerance_seconds)
    return asked <= latest, f"requested at {asked.isoformat()}, must not be after {latest.isoformat()}"


def scope(case: Case) -> tuple[bool, str]:
    """Notice 1.7.2: the policy may leave out shops and categories."""
    order, policy = case.request.order, case.policy
    if order.shop_id in policy.excluded_shops:
        return False, f"shop {order.shop_id} is left out by the policy"
    if order.category_id in policy.excluded_categories:
        return False, f"category {order.category_id} is left out by the policy"
    return True, "shop and category are in scope"


def standing(case: Case) -> tuple[bool, str]:
    """Notice 1.7.1: an abuser's eligibility is taken away."""
    return case.standing != "revoked", f"standing is {case.standing}, must not be revoked"


def quality_user(case: Case) -> tuple[bool, str]:
    """Notice 1.4: the buyer is a platform quality user."""
    if case.tier == "new":
        return False, (
            f"not enough history: {case.buyer.completed_orders} completed orders "
            f"over {case.buyer.tenure_days or 0:.0f} days, must be at least "
            f"{case.policy.min_completed_orders} over {case.policy.min_tenure_days:.0f} days"
        )
    starts = case.policy.quality_score_min
    edge = (
        "no cut-off is proven to keep the loss budget"
        if starts is None
        else f"quality starts at {starts:.1f}"
    )
    return case.tier == "quality", f"tier is {case.tier} at {case.buyer.score:.1f} points, {edge}"


RULES: Final[dict[str, Rule]] = {
    "refund_only": refund_only,
    "goods_type": goods_type,
    "amount_below_cap": amount_below_cap,
    "unshipped": unshipped,
    "agrees_with_history": agrees_with_history,
    "request_time": request_time,
    "scope": scope,
    "standing": standing,
    "quality_user": quality_user,
}
"""The rules in the order in which they are reported, by code. All are asked, whichever fails first."""


def judge(case: Case) -> tuple[Verdict, ...]:
    """Ask every rule."""
    return tuple(Verdict(code, *rule(case)) for code, rule in RULES.items())
