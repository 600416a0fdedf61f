"""Instants as whole microseconds and back."""

from __future__ import annotations

from datetime import datetime, timedelta

from decisions.shanghai import EPOCH
from decisions.shanghai import microseconds_of as micros

__all__ = ["instant", "micros"]


def instant(us: int) -> datetime:
    """Turn microseconds since 1970 into a time in UTC."""
    return EPOCH + timedelta(microseconds=us)
