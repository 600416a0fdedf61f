"""The part of a policy that says how eligibility is lost and comes back. The default is the notice's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from .setting import setting

STRIKE_MEMORY_DAYS: Final = 1095.0
"""No strike counts longer than three years, whatever a policy says."""
MOST_POINTS: Final = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class StrikePoints:
    """How many points each signal weighs; 0 means that it is no strike."""

    dispute_lost: int = setting(0, "A dispute that ended for the merchant.", low=0, high=MOST_POINTS)
    found_shipped: int = setting(
        0, "A refund granted as unshipped whose parcel had left.", low=0, high=MOST_POINTS
    )
    cap_hit: int = setting(
        0, "A request over the buyer's caps; at most one a Shanghai day counts.", low=0, high=MOST_POINTS
    )
    linked_abuse: int = setting(
        0,
        "A confirmed abuser who shares a device, address or payer. Counts only beside points of the buyer's "
        "own, and never as more than those.",
        low=0,
        high=MOST_POINTS,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class StandingPolicy:
    """When a buyer is warned, restricted, revoked, and the way back.

    Confirmed abuse revokes and its clearing restores at once under every policy; so do a person's actions.
    All else is off until a policy turns it on.
    """

    points: StrikePoints = field(default_factory=StrikePoints)
    watch_points: int | None = setting(
        None, "From so many points on a buyer is watched, which is the warning.", low=1, high=MOST_POINTS
    )
    restrict_points: int | None = setting(
        None, "A strike that brings so many points restricts.", low=1, high=MOST_POINTS
    )
    revoke_points: int | None = setting(
        None, "A strike that brings so many points revokes.", low=1, high=MOST_POINTS
    )
    strike_half_life_days: float | None = setting(
        None,
        "A strike's points halve each time so many days have passed, at that instant; after the tenth time "
        "nothing is left.",
        low=1.0,
        high=STRIKE_MEMORY_DAYS,
    )
    strike_expires_days: float | None = setting(
        None, "A strike counts for so many days.", low=1.0, high=STRIKE_MEMORY_DAYS
    )
    warning_grace_hours: float | None = setting(
        None,
        "Points restrict or revoke only through a strike that comes so many hours or more after the "
        "warning; earlier ones only warn. Off: without a warning.",
        low=0.0,
        high=24.0 * 90,
    )
    watch_below_score: float | None = setting(None, "A score below this is watched.", low=300.0, high=900.0)
    watch_hysteresis_points: float = setting(
        0.0, "A score ends the watch only so many points above `watch_below_score`.", low=0.0, high=600.0
    )
    watch_days: float = setting(30.0, "The least time that a watch lasts.", low=0.0, high=STRIKE_MEMORY_DAYS)
    restrict_days: float = setting(
        30.0, "How long a restriction by points lasts.", low=1.0, high=STRIKE_MEMORY_DAYS
    )
    revoke_days: float | None = setting(
        None,
        "How long a revocation by points lasts before probation. Off: until a person decides. A revocation "
        "for confirmed abuse ends only when it is cleared.",
        low=1.0,
        high=STRIKE_MEMORY_DAYS,
    )
    probation_days: float = setting(
        90.0, "How long probation lasts; a strike in it revokes.", low=1.0, high=STRIKE_MEMORY_DAYS
    )
    watch_caps_percent: int = setting(
        100, "Share of the caps and of the credit line while watched.", low=0, high=100
    )
    probation_caps_percent: int = setting(
        50, "Share of the caps and of the credit line on probation.", low=0, high=100
    )
