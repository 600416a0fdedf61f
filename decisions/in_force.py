"""A policy's limits as decisions ask for them: worked out once, only what is on."""

from __future__ import annotations

from typing import Final, NamedTuple

from .limits import Budgets, Caps, CreditLine, ShopLimits, limits_on

_WINDOWS: Final = {
    "per_day": ("day", "today"),
    "per_7_days": ("7_days", "in 7 days"),
    "per_30_days": ("30_days", "in 30 days"),
}


class CapLine(NamedTuple):
    """A cap: the field of `caps.Usage` that counts towards it, how much of what it allows."""

    used: str
    most: int
    is_money: bool
    what: str


class BudgetLine(NamedTuple):
    """A budget: whose, the field of `caps.Losses`, the fen that open the breaker, when."""

    who: str
    window: str
    most: int
    when: str


class ShopLine(NamedTuple):
    """A limit of shop quality: the field of `request.ShopEvidence`, its greatest value, its name."""

    found: str
    most: float
    what: str


class InForce(NamedTuple):
    """What holds in a state of standing: the caps that are on, the credit lines by tier."""

    caps: tuple[CapLine, ...]
    credit: dict[str, int]


def limits_in_force(caps: Caps, credit: CreditLine, *, percent: int) -> InForce:
    """Take so many percent of every cap and line, whole refunds and fen rounded down."""
    lines = []
    for name, most in limits_on(caps).items():
        unit, _, per = name.partition("_")
        window, when = _WINDOWS[per]
        lines.append(CapLine(f"{unit}_{window}", int(most) * percent // 100, unit == "fen", f"{unit} {when}"))
    return InForce(tuple(lines), {t: int(fen) * percent // 100 for t, fen in limits_on(credit).items()})


def budget_lines(budgets: Budgets) -> tuple[BudgetLine, ...]:
    """Lay out the budgets that are on."""
    lines = []
    for name, most in limits_on(budgets).items():
        who, _, per = name.partition("_loss_fen_")
        window, when = _WINDOWS[per]
        lines.append(BudgetLine(who, {"day": "day"}.get(window, f"days_{window[:-5]}"), int(most), when))
    return tuple(lines)


_FIGURES: Final = {
    "late_ship_rate": "late-ship rate",
    "tracking_lag_p90_hours": "tracking lag p90 in hours",
    "dispute_rate": "dispute rate",
}


def shop_lines(shop: ShopLimits) -> tuple[ShopLine, ...]:
    """Lay out the limits of shop quality that are on."""
    found = ((name.removeprefix("max_"), most) for name, most in limits_on(shop).items())
    return tuple(ShopLine(name, most, _FIGURES[name]) for name, most in found)
