"""The parts of a policy that limit money: caps and credit of a buyer, budgets of shops and the platform.

None is off. Every part's default is the notice's: nothing limited.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final, Literal

from .setting import setting

MOST_FEN: Final = 10**12
"""Ten billion yuan: beyond this no amount is meant."""
MOST_REFUNDS: Final = 10**6
LONGEST_CASE_DAYS: Final = 365.0


@dataclass(frozen=True, kw_only=True, slots=True)
class CreditLine:
    """How many fen a buyer may have been granted that are not settled yet, by tier."""

    quality: int | None = setting(None, "Line of quality users, in fen.", low=0, high=MOST_FEN)
    standard: int | None = setting(None, "Line of the standard tier, in fen.", low=0, high=MOST_FEN)
    low: int | None = setting(None, "Line of the low tier, in fen.", low=0, high=MOST_FEN)
    new: int | None = setting(None, "Line of buyers with too little history, in fen.", low=0, high=MOST_FEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Caps:
    """What one buyer may be granted automatically; a grant that reaches a cap exactly is within it."""

    refunds_per_day: int | None = setting(
        None, "Automatic refunds in one calendar day of Shanghai.", low=0, high=MOST_REFUNDS
    )
    fen_per_day: int | None = setting(
        None, "Fen granted automatically in one calendar day of Shanghai.", low=0, high=MOST_FEN
    )
    refunds_per_7_days: int | None = setting(
        None, "Automatic refunds in the 7 × 24 hours that end with the request.", low=0, high=MOST_REFUNDS
    )
    fen_per_7_days: int | None = setting(
        None, "Fen granted automatically in the same 7 × 24 hours.", low=0, high=MOST_FEN
    )
    refunds_per_30_days: int | None = setting(
        None, "Automatic refunds in the 30 × 24 hours that end with the request.", low=0, high=MOST_REFUNDS
    )
    fen_per_30_days: int | None = setting(
        None, "Fen granted automatically in the same 30 × 24 hours.", low=0, high=MOST_FEN
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCases:
    """One open case at a time, and how long a case is taken to be open when nobody says it was closed."""

    one_at_a_time: bool = setting(
        False, "Another after-sale of the buyer that is still open holds this one for a person."
    )
    forgotten_after_days: float = setting(
        30.0,
        "An after-sale opened longer ago counts as closed, also for the credit line: closings get lost.",
        low=0.0,
        high=LONGEST_CASE_DAYS,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Budgets:
    """What automatic refunds may have lost before the circuit breaker opens.

    Lost is what was refunded and then found shipped. Windows are whole calendar days of Shanghai: today, the
    last 7 with today, the last 30 with today. At the budget the breaker is open: requests go to a person
    until losses leave the window.
    """

    shop_loss_fen_per_day: int | None = setting(None, "One shop's, today.", low=1, high=MOST_FEN)
    shop_loss_fen_per_7_days: int | None = setting(None, "One shop's, 7 days.", low=1, high=MOST_FEN)
    shop_loss_fen_per_30_days: int | None = setting(None, "One shop's, 30 days.", low=1, high=MOST_FEN)
    platform_loss_fen_per_day: int | None = setting(None, "All shops', today.", low=1, high=MOST_FEN)
    platform_loss_fen_per_7_days: int | None = setting(None, "All shops', 7 days.", low=1, high=MOST_FEN)
    platform_loss_fen_per_30_days: int | None = setting(None, "All shops', 30 days.", low=1, high=MOST_FEN)


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopLimits:
    """The measured quality that a shop must have for automatic refunds of its orders (notice 1.7.2)."""

    max_late_ship_rate: float | None = setting(
        None,
        "Greatest share of orders shipped later than promised, or overdue and not shipped.",
        low=0.0,
        high=1.0,
    )
    max_tracking_lag_p90_hours: float | None = setting(
        None,
        "Greatest 90th percentile of the hours between handing a parcel over and entering its tracking "
        "number: the longer it is, the likelier the shipping race.",
        low=0.0,
        high=24.0 * 365,
    )
    max_dispute_rate: float | None = setting(
        None, "Greatest share of orders that end in a dispute.", low=0.0, high=1.0
    )
    unknown: Literal["pass", "hold"] = setting(
        "pass",
        "What happens where a limited figure is not known, as of a new shop: pass, or hold for a person.",
        words=("pass", "hold"),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Exploration:
    """A lot by which a share of what would be refunded at once goes to a person.

    Decisions then carry their probability. The lot only withholds: it refunds nothing that a rule holds.
    """

    review_share: float | None = setting(
        None, "Share of the requests that pass every other rule which go to a person.", low=0.0, high=1.0
    )
    seed: int | None = setting(
        None, "The lot is drawn from this and the after-sale's id; off is 0.", low=0, high=2**31 - 1
    )


def limits_on(part: Caps | CreditLine | Budgets | ShopLimits) -> dict[str, int | float]:
    """Give the limits of a part that are on, by their settings' names in order."""
    found = {f.name: getattr(part, f.name) for f in fields(part)}
    return {name: limit for name, limit in found.items() if isinstance(limit, (int, float))}
