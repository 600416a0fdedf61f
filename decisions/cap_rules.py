"""What a buyer may still be granted, and what shops and the platform may still lose."""

from __future__ import annotations

from functools import lru_cache

from .case import Case, Verdict


def caps(case: Case) -> Verdict:
    """With this refund the buyer stays within every cap."""
    usage, asked = case.usage, case.request.refund_amount_fen
    passed, said = True, []
    for used, most, is_money, what in case.policy.limits(case.standing).caps:
        with_it = getattr(usage, used) + (asked if is_money else 1)
        passed = passed and with_it <= most
        said.append(f"{with_it} of {most} {what}")
    return Verdict("caps", passed, f"with this refund {', '.join(said)}")


def open_case(case: Case) -> Verdict:
    """The buyer has no other after-sale open."""
    return _open_case(case.usage.open_cases)


@lru_cache
def _open_case(found: int) -> Verdict:
    return Verdict("open_case", found == 0, f"{found} other after-sales are open, must be none")


def credit_line(case: Case) -> Verdict:
    """What was granted and is not settled stays, with this refund, within the tier's line."""
    line = case.policy.limits(case.standing).credit.get(case.tier)
    if line is None:
        return Verdict("credit_line", True, f"tier {case.tier} has no credit line that ends")
    with_it = case.usage.unsettled_fen + case.request.refund_amount_fen
    detail = f"with this refund {with_it} of {line} fen of tier {case.tier} are not settled"
    return Verdict("credit_line", with_it <= line, detail)


def budget(case: Case) -> Verdict:
    """The circuit breaker: neither the shop nor the platform has lost its budget."""
    usage, passed, said = case.usage, True, []
    for who, window, most, when in case.policy.budget_lines:
        lost = getattr(usage.shop if who == "shop" else usage.platform, window)
        passed = passed and lost < most
        said.append(f"{who} lost {lost} of {most} fen {when}")
    return Verdict("budget", passed, f"{', '.join(said)}; must stay below")
