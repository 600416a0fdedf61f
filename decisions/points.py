"""What strikes weigh at an instant: they halve, they expire, and links weigh no more than the buyer's own."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from .standing import Strike
from .standing_policy import STRIKE_MEMORY_DAYS, StandingPolicy

HALVINGS: Final = 10
"""After so many nothing is left, so that every strike ends."""


def points_of(strike: Strike, at: datetime, policy: StandingPolicy) -> float:
    """Weigh one strike; exact, since halves of whole numbers are."""
    if at >= strike.at + _life(policy):
        return 0.0
    if policy.strike_half_life_days is None:
        return float(strike.points)
    halvings = (at - strike.at) // timedelta(days=policy.strike_half_life_days)
    return strike.points * 0.5 ** max(0, halvings)


def total_points(strikes: Iterable[Strike], at: datetime, policy: StandingPolicy) -> float:
    """Add up what strikes weigh; those through links add at most as much as the buyer's own."""
    own = linked = 0.0
    for strike in strikes:
        if strike.kind == "linked_abuse":
            linked += points_of(strike, at, policy)
        else:
            own += points_of(strike, at, policy)
    return own + min(linked, own)


def changes_of(strikes: Iterable[Strike], policy: StandingPolicy) -> list[datetime]:
    """Give the instants at which any strike weighs less than before, in order."""
    found = set()
    for strike in strikes:
        found.add(strike.at + _life(policy))
        if policy.strike_half_life_days is not None:
            half_life = timedelta(days=policy.strike_half_life_days)
            found.update(strike.at + n * half_life for n in range(1, HALVINGS))
    return sorted(found)


def _life(policy: StandingPolicy) -> timedelta:
    """Give how long a strike counts at all."""
    days = STRIKE_MEMORY_DAYS
    if policy.strike_expires_days is not None:
        days = min(days, policy.strike_expires_days)
    if policy.strike_half_life_days is not None:
        days = min(days, HALVINGS * policy.strike_half_life_days)
    return timedelta(days=days)
