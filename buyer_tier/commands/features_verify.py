"""``buyer-tier features verify``: do stored vectors equal what the event log gives offline?"""

from __future__ import annotations


def verify() -> None:
    """Recompute the vectors of stored decisions from the event log and name every difference's cause."""
    raise NotImplementedError
