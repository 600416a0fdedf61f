"""What a simulated marketplace is made from: size, length, share of abusers, seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from features.errors import BadInput

MAX_BUYERS = 10_000_000
MAX_DAYS = 3_650
MAX_ABUSE_RATE = 0.5
BLOCK_BUYERS = 10_000
"""Buyers are generated in blocks of this size, each with its own random stream, over shared shops."""


@dataclass(frozen=True)
class MarketConfig:
    """Describe one marketplace; the same description always gives the same bytes.

    Parameters
    ----------
    buyers
        Accounts that sign up during the period, 1 to 10,000,000.
    days
        Length of the log in days, 1 to 3,650. What the platform learns later is not in it.
    abuse_rate
        Share of the accounts that belong to an abuser, 0 to 0.5. No public rate exists: sweep 0.003 to 0.03.
    seed
        The only source of randomness, a non-negative integer.
    start
        First instant of the log, timezone-aware.

    Raises
    ------
    BadInput
        A value is of the wrong type or outside its range.
    """

    buyers: int = 20_000
    days: int = 540
    abuse_rate: float = 0.01
    seed: int = 0
    start: datetime = datetime(2025, 5, 1, tzinfo=UTC)

    def __post_init__(self) -> None:
        _need_int("buyers", self.buyers, low=1, high=MAX_BUYERS)
        _need_int("days", self.days, low=1, high=MAX_DAYS)
        _need_int("seed", self.seed, low=0, high=2**63 - 1)
        _need_share("abuse_rate", self.abuse_rate)
        _need_start(self.start)

    @property
    def end(self) -> datetime:
        """First instant after the log."""
        return self.start.astimezone(UTC) + timedelta(days=self.days)

    @property
    def abusers(self) -> int:
        """Number of accounts that are abusers."""
        return round(self.abuse_rate * self.buyers)

    @property
    def blocks(self) -> int:
        """Number of blocks of buyers."""
        return -(-self.buyers // BLOCK_BUYERS)


def _need_int(name: str, value: object, *, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadInput(f"{name} is {value!r}: give a whole number from {low:,} to {high:,}")


def _need_share(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value <= MAX_ABUSE_RATE:  # type: ignore[operator, arg-type]
        raise BadInput(f"{name} is {value!r}: give a number from 0 to {MAX_ABUSE_RATE}")


def _need_start(value: object) -> None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise BadInput(f"start is {value!r}: give a date and time with its time zone")
    if not 1990 <= value.year <= 2200:
        raise BadInput(f"start is {value.isoformat()}: give a year from 1990 to 2200")
