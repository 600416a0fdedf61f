"""What linked accounts add to standings: the last verdict on each account that shares a link."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from features.links import MAX_ACCOUNTS_PER_LINK
from models.deciding.sweeping import PeerVerdict

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


async def verdicts(connection: Connection) -> dict[str, list[PeerVerdict]]:
    """Read, by buyer, what was found of the accounts that share a link."""
    found: defaultdict[str, list[PeerVerdict]] = defaultdict(list)
    for buyer_id, *verdict in await connection.fetch(VERDICTS, timeout=SECONDS):
        found[buyer_id].append(PeerVerdict(*verdict))
    return found
