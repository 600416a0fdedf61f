"""Ids of decisions: UUIDs that begin with the time, so that a list by id is a list by time."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Final

from .shanghai import microseconds_of

_VARIANT: Final = 0b10 << 62


def decision_id(decided_at: datetime, after_sale_id: str) -> str:
    """Name a decision: an after-sale is decided once, so the same decision made again has the same id.

    A UUID of version 7 (RFC 9562, 5.7) that begins with the time, to the microsecond (6.2).
    """
    named = int.from_bytes(blake2b(after_sale_id.encode(), digest_size=8).digest()) >> 2
    return uuid7(decided_at, decided_at.microsecond % 1000, named)


def uuid7(at: datetime, high: int, low: int) -> str:
    """Write a UUID of version 7: the milliseconds of an instant, then 12 and 62 bits."""
    begin = max(0, microseconds_of(at) // 1000) << 16 | 7 << 12 | high
    text = f"{begin << 64 | _VARIANT | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
