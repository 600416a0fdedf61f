"""Ids of decisions: UUIDs that begin with the time, so that a list by id is a list by time."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

from .shanghai import microseconds_of


def decision_id(decided_at: datetime, after_sale_id: str) -> str:
    """Name a decision: an after-sale is decided once, so the same decision made again has the same id.

    A UUID of version 7 (RFC 9562, 5.7) that begins with the time, to the microsecond (6.2).
    """
    named = int.from_bytes(blake2b(after_sale_id.encode(), digest_size=8).digest()) >> 2
    return uuid7(decided_at, (decided_at.microsecond % 1000) << 62 | named)


def uuid7(at: datetime, rest: int) -> str:
    """Write the 74 bits that follow the milliseconds into a UUID of version 7."""
    milliseconds = max(0, microseconds_of(at) // 1000)
    high, low = rest >> 62, rest & (1 << 62) - 1
    text = f"{milliseconds << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
