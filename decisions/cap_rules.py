"""What a buyer may still be granted, and what shops and the platform may still lose."""

from __future__ import annotations

from .case import Case, Verdict


def caps(case: Case) -> Verdict:
    """With this refund the buyer stays within every cap."""
    used, asked = case.usage, case.request.refund_amount_fen
    most, _ = case.policy.limits(case.standing)
    found = (
        (used.refunds_day + 1, most.refunds_per_day, "refunds today"),
        (used.fen_day + asked, most.fen_per_day, "fen today"),
        (used.refunds_7_days + 1, most.refunds_per_7_days, "refunds in 7 days"),
        (used.fen_7_days + asked, most.fen_per_7_days, "fen in 7 days"),
        (used.refunds_30_days + 1, most.refunds_per_30_days, "refunds in 30 days"),
        (used.fen_30_days + asked, most.fen_per_30_days, "fen in 30 days"),
    )
    limited = [(with_it, cap, what) for with_it, cap, what in found if cap is not None]
    passed = all(with_it <= cap for with_it, cap, _ in limited)
    said = ", ".join(f"{with_it} of {cap} {what}" for with_it, cap, what in limited)
    return Verdict("caps", passed, f"with this refund {said}")


def open_case(case: Case) -> Verdict:
    """The buyer has no other after-sale open."""
    found = case.usage.open_cases
    return Verdict("open_case", found == 0, f"{found} other after-sales are open, must be none")


def credit_line(case: Case) -> Verdict:
    """What was granted and is not settled stays, with this refund, within the tier's line."""
    _, lines = case.policy.limits(case.standing)
    line: int | None = getattr(lines, case.tier)
    if line is None:
        return Verdict("credit_line", True, f"tier {case.tier} has no credit line that ends")
    with_it = case.usage.unsettled_fen + case.request.refund_amount_fen
    detail = f"with this refund {with_it} of {line} fen of tier {case.tier} are not settled"
    return Verdict("credit_line", with_it <= line, detail)


def budget(case: Case) -> Verdict:
    """The circuit breaker: neither the shop nor the platform has lost its budget."""
    shop, platform, budgets = case.usage.shop, case.usage.platform, case.policy.budgets
    found = (
        ("shop", shop.day, budgets.shop_loss_fen_per_day, "today"),
        ("shop", shop.days_7, budgets.shop_loss_fen_per_7_days, "in 7 days"),
        ("shop", shop.days_30, budgets.shop_loss_fen_per_30_days, "in 30 days"),
        ("platform", platform.day, budgets.platform_loss_fen_per_day, "today"),
        ("platform", platform.days_7, budgets.platform_loss_fen_per_7_days, "in 7 days"),
        ("platform", platform.days_30, budgets.platform_loss_fen_per_30_days, "in 30 days"),
    )
    limited = [(who, lost, most, when) for who, lost, most, when in found if most is not None]
    passed = all(lost < most for _, lost, most, _ in limited)
    said = ", ".join(f"{who} lost {lost} of {most} fen {when}" for who, lost, most, when in limited)
    return Verdict("budget", passed, f"{said}; must stay below")
