"""Each hard rule as one small function: a case goes in, a verdict that carries its reason comes out.

Verdicts that say the same of many requests are made once and kept: making one costs more than most rules.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from .cap_rules import budget, caps, credit_line, open_case
from .case import Case, Verdict
from .exploration import exploration
from .policy import OptionalRule
from .request import GoodsType, RefundType, ShippingStatus
from .scope_rules import kill_switch, scope, shop_quality
from .shanghai import written
from .standing import WITHOUT_REFUNDS, State
from .tiers import lacks_only_a_payment, quality_edge

Rule = Callable[[Case], Verdict]


def refund_only(case: Case) -> Verdict:
    """Notice 1.3: only refunds without a return."""
    return _refund_only(case.request.refund_type)


@lru_cache
def _refund_only(found: RefundType) -> Verdict:
    return Verdict("refund_only", found == "refund_only", f"refund type is {found}, must be refund_only")


def goods_type(case: Case) -> Verdict:
    """Notice 1.2: customized and virtual goods are excluded."""
    return _goods_type(case.request.order.goods_type, case.policy.excluded_goods_types)


@lru_cache
def _goods_type(found: GoodsType, excluded: tuple[GoodsType, ...]) -> Verdict:
    wanted = f"must not be {' or '.join(excluded)}" if excluded else "any are in scope"
    return Verdict("goods_type", found not in excluded, f"goods are {found}, {wanted}")


def amount_below_cap(case: Case) -> Verdict:
    """Notice 1.4: paid below 300 yuan."""
    found, cap = case.request.order.paid_amount_fen, case.policy.cap_fen
    return Verdict("amount_below_cap", found < cap, f"{found} fen paid, must be below {cap} fen")


def unshipped(case: Case) -> Verdict:
    """Notice 1.4: unshipped by the merchant back end; partially shipped is not unshipped."""
    return _unshipped(case.request.order.shipping_status)


@lru_cache
def _unshipped(found: ShippingStatus) -> Verdict:
    return Verdict("unshipped", found == "unshipped", f"shipping status is {found}, must be unshipped")


_AGREES: Final = Verdict("agrees_with_history", True, "nothing in the event log contradicts the request")


def agrees_with_history(case: Case) -> Verdict:
    """Where the request and the event log disagree, the stricter wins."""
    known, request = case.order, case.request
    paid = request.order.paid_amount_fen
    conflicts = []
    if known.of_another_buyer:
        conflicts.append("the event log has the order as another buyer's")
    if known.shipped:
        conflicts.append("the event log has the order as shipped")
    if known.refunded_fen + request.refund_amount_fen > paid:
        conflicts.append(f"{known.refunded_fen} fen are known to be refunded already")
    if known.paid_amount_fen is not None and known.paid_amount_fen != paid:
        conflicts.append(f"{known.paid_amount_fen} fen are known to be paid")
    return Verdict("agrees_with_history", False, "; ".join(conflicts)) if conflicts else _AGREES


def request_time(case: Case) -> Verdict:
    """A request is dated after the payment, not ahead of the service's clock, and not too long ago."""
    asked, paid, policy = case.request.requested_at, case.request.order.paid_at, case.policy
    said = f"requested at {written(asked)}"
    if asked < paid:
        return Verdict("request_time", False, f"{said}, before the payment at {written(paid)}")
    if policy.request_max_age is not None and asked < (earliest := case.decided_at - policy.request_max_age):
        return Verdict("request_time", False, f"{said}, must not be before {written(earliest)}")
    latest = case.decided_at + policy.clock_tolerance
    return Verdict("request_time", asked <= latest, f"{said}, must not be after {written(latest)}")


def standing(case: Case) -> Verdict:
    """Notice 1.7.1: an abuser's eligibility is taken away."""
    return _standing(case.standing)


@lru_cache
def _standing(found: State) -> Verdict:
    wanted = "revoked" if found in ("new", "eligible", "revoked") else "restricted or revoked"
    return Verdict("standing", found not in WITHOUT_REFUNDS, f"standing is {found}, must not be {wanted}")


def quality_user(case: Case) -> Verdict:
    """Notice 1.4: the buyer is a platform quality user."""
    if case.tier == "new":
        return Verdict("quality_user", False, _too_little_history(case))
    edge = quality_edge(case.policy, previous=case.previous_tier)
    said = _edge(edge, case.previous_tier == "quality")
    detail = f"tier is {case.tier} at {case.buyer.score:.1f} points, {said}"
    return Verdict("quality_user", case.tier == "quality", detail)


@lru_cache
def _edge(edge: float | None, had_it: bool) -> str:
    if edge is None:
        return "no cut-off is proven to keep the loss budget"
    return f"quality is kept down to {edge:.1f}" if had_it else f"quality starts at {edge:.1f}"


def _too_little_history(case: Case) -> str:
    if lacks_only_a_payment(case.buyer, case.policy):
        return "not enough history: nothing that the buyer paid is known"
    return (
        f"not enough history: {case.buyer.completed_orders} completed orders "
        f"over {case.buyer.tenure_days or 0:.0f} days, must be at least "
        f"{case.policy.min_completed_orders} over {case.policy.min_tenure_days:.0f} days"
    )


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
"""The rules of every policy in the order in which they are reported, by code. All are asked, whichever
fails first."""

OPTIONAL_RULES: Final[dict[OptionalRule, Rule]] = {
    "kill_switch": kill_switch,
    "shop_quality": shop_quality,
    "caps": caps,
    "open_case": open_case,
    "credit_line": credit_line,
    "budget": budget,
    "exploration": exploration,
}
"""The rules that are asked, after those, only under a policy that turns them on: a verdict on what a policy
does not limit would say nothing."""


@lru_cache
def rules_of(asks: frozenset[OptionalRule]) -> tuple[Rule, ...]:
    """Give the rules of a policy (`Policy.asks`) in order."""
    return (*RULES.values(), *(rule for code, rule in OPTIONAL_RULES.items() if code in asks))


def judge(case: Case) -> tuple[Verdict, ...]:
    """Ask every rule of the case's policy."""
    return tuple([rule(case) for rule in rules_of(case.policy.asks)])
