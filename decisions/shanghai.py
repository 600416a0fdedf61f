"""Instants as whole microseconds, and calendar days of Shanghai, which begin at 16:00 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
DAY_US: Final = 86_400_000_000
AHEAD_US: Final = 8 * 3_600_000_000
"""China has had one offset and no summer time since 1991."""


def microseconds_of(when: datetime) -> int:
    """Count the microseconds since 1970 of a timezone-aware instant."""
    return (when - EPOCH) // MICROSECOND


def written(when: datetime, *, timespec: str = "auto") -> str:
    """Write an instant as `isoformat` does, which asks the zone for its name and takes twice as long."""
    if when.tzinfo is UTC:
        return f"{when.date().isoformat()}T{when.time().isoformat(timespec)}+00:00"
    return when.isoformat(timespec=timespec)


def day_of(us: int) -> int:
    """Number the calendar day of Shanghai of an instant; 0 holds the start of 1970 UTC."""
    return (us + AHEAD_US) // DAY_US


def day_start(us: int) -> int:
    """Give the first microsecond of the instant's calendar day of Shanghai."""
    return day_of(us) * DAY_US - AHEAD_US
