"""Ids of decisions: they sort by time, so a list by id is a list by time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)


def new_id(at: datetime) -> str:
    """Make a UUID of version 7 (RFC 9562, 5.7): it begins with the time, here to the microsecond (6.2)."""
    microseconds = at.microsecond % 1000
    return _uuid7(at, microseconds << 62 | secrets.randbits(62))


def first_id(at: datetime) -> str:
    """Return the least id of the millisecond that holds ``at``."""
    return _uuid7(at, 0)


def _uuid7(at: datetime, random: int) -> str:
    milliseconds = max(0, (at - EPOCH) // MILLISECOND)
    high, low = random >> 62, random & (1 << 62) - 1
    text = f"{milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
