"""What linked accounts add to standings: the last verdict on each account that shares a link."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from decisions.standing import Signal, Standing
from decisions.standing_events import is_link_to
from features.links import MAX_ACCOUNTS_PER_LINK

if TYPE_CHECKING:
    from .database import Connection

SECONDS: Final = 3600.0
VERDICTS: Final = f"""
WITH judged AS (
    SELECT DISTINCT ON (buyer_id) buyer_id, event_id, kind, occurred_at, recorded_at FROM events
    WHERE kind IN ('abuse_confirmed', 'abuse_cleared')
    ORDER BY buyer_id, recorded_at DESC, occurred_at DESC, event_id DESC
), links_of AS (
    SELECT DISTINCT j.*, e.link_type, e.link_value FROM judged AS j JOIN events AS e USING (buyer_id)
    WHERE e.kind = 'identity_linked' AND e.link_value IS NOT NULL
)
SELECT near.buyer_id, p.buyer_id, p.event_id, p.kind, min(p.occurred_at),
    min(greatest(p.recorded_at, near.first_recorded_at))
FROM links_of AS p CROSS JOIN LATERAL (
    SELECT l.buyer_id, l.first_recorded_at FROM links AS l
    WHERE l.link_type = p.link_type AND l.link_value = p.link_value
    ORDER BY l.first_recorded_at, l.buyer_id LIMIT {MAX_ACCOUNTS_PER_LINK}
) AS near WHERE near.buyer_id <> p.buyer_id GROUP BY 1, 2, 3, 4
"""
"""Of a link only the first accounts count, as in features. A link that was seen after the verdict gives the
signal its time."""


@dataclass(frozen=True, slots=True)
class PeerVerdict:
    """The last word on an account that shares a link."""

    peer: str
    event_id: str
    kind: str
    occurred_at: datetime
    known_at: datetime


async def verdicts(connection: Connection) -> dict[str, list[PeerVerdict]]:
    """Read, by buyer, what was found of the accounts that share a link."""
    found: defaultdict[str, list[PeerVerdict]] = defaultdict(list)
    for buyer_id, *verdict in await connection.fetch(VERDICTS, timeout=SECONDS):
        found[buyer_id].append(PeerVerdict(*verdict))
    return found


def signals(about: list[PeerVerdict], standing: Standing, now: datetime) -> list[Signal]:
    """Give the signals for one buyer; a clearing is one only where the confirmation counted."""
    return [
        Signal(
            signal_id=one.event_id,
            kind="linked_abuse" if one.kind == "abuse_confirmed" else "link_cleared",
            at=min(one.known_at, now),
            occurred_at=min(one.occurred_at, now),
            reference=one.peer,
        )
        for one in about
        if one.kind == "abuse_confirmed" or any(is_link_to(s, one.peer) for s in standing.strikes)
    ]
