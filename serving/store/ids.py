"""Ids that sort by time, so that a list by id is a list by time; those of decisions are `decisions.ids`."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from decisions.ids import uuid7

MILLISECOND: Final = timedelta(milliseconds=1)


def new_id(at: datetime) -> str:
    """Make a UUID of version 7: it begins with the time, to the microsecond."""
    return uuid7(at, at.microsecond % 1000, secrets.randbits(62))


def first_id(at: datetime) -> str:
    """Return the least id of the millisecond that holds ``at``."""
    return uuid7(at, 0, 0)
