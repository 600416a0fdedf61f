"""Where a policy refunds automatically at all: kill switch, lists of shops and categories, shop figures."""

from __future__ import annotations

from typing import Final

from .case import Case, Verdict

_STOPPED: Final = Verdict("kill_switch", False, "the policy has stopped all automatic refunds")
_GOES_ON: Final = Verdict("kill_switch", True, "the policy has not stopped automatic refunds")
_IN_SCOPE: Final = Verdict("scope", True, "shop and category are in scope")


def kill_switch(case: Case) -> Verdict:
    """Every request goes to a person while the policy says stop."""
    return _STOPPED if case.policy.stopped else _GOES_ON


def scope(case: Case) -> Verdict:
    """Notice 1.7.2: the policy may leave out shops and categories."""
    order, policy = case.request.order, case.policy
    for what, found, only, excluded in (
        ("shop", order.shop_id, policy.only_shops, policy.excluded_shops),
        ("category", order.category_id, policy.only_categories, policy.excluded_categories),
    ):
        if found in excluded:
            return Verdict("scope", False, f"{what} {found} is left out by the policy")
        if only and found not in only:
            return Verdict("scope", False, f"{what} {found} is not among those of the policy")
    return _IN_SCOPE


def shop_quality(case: Case) -> Verdict:
    """Notice 1.7.2: the policy may ask for a shop's measured quality."""
    shop, unknown = case.shop, case.policy.shop.unknown
    passed, said = True, []
    for name, most, what in case.policy.shop_lines:
        found = getattr(shop, name)
        if found is None:
            passed = passed and unknown == "pass"
            said.append(f"{what} is not known, which the policy lets {unknown}")
        else:
            passed = passed and found <= most
            said.append(f"{what} is {found:.4g}, must be at most {most:.4g}")
    return Verdict("shop_quality", passed, "; ".join(said))
