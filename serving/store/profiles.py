"""Packed histories, one row a buyer: read with whatever arrived since, written when something did.

A profile is complete for the snapshot ``seen``. What arrived since is found exactly, whatever the clocks said
and in whichever order transactions ended: every event, and every first sight of an account on a link, has
the transaction that brought it. What linked accounts add is not followed event by event: if anything about
them is new, the history is packed anew from the log.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from features.rows import COLUMNS

if TYPE_CHECKING:
    from .database import Connection

_TIMES: Final = ("occurred_at", "recorded_at")


def _unseen(alias: str) -> str:
    """Select what the profile's snapshot could not see; the first condition is one for the index."""
    return (
        f"{alias}.arrival >= p.seen_from "
        f"AND NOT pg_visible_in_snapshot({alias}.arrival::text::xid8, p.seen::pg_snapshot)"
    )


def _json(name: str) -> str:
    """Give a column of an event as it goes into JSON: times in microseconds, which are exact."""
    return f"(extract(epoch FROM e.{name}) * 1000000)::bigint AS {name}" if name in _TIMES else f"e.{name}"


COMPLETE: Final = "p.packed IS NOT NULL"
TAIL: Final = f"""
CASE WHEN {COMPLETE} THEN (
    SELECT json_agg(tail)::text FROM (
        SELECT {", ".join(map(_json, COLUMNS))} FROM events AS e
        WHERE e.buyer_id = p.buyer_id AND {_unseen("e")}
    ) AS tail
) END
"""
"""The buyer's own events that arrived since, as JSON; null if there are none."""
CHANGED: Final = f"""
CASE WHEN {COMPLETE} THEN EXISTS (
    SELECT FROM unnest(p.link_types, p.link_values) AS own (link_type, link_value)
    JOIN links AS l USING (link_type, link_value) WHERE {_unseen("l")}
) OR EXISTS (
    SELECT FROM events AS v
    WHERE v.buyer_id = ANY(p.peers) AND v.kind IN ('abuse_confirmed', 'abuse_cleared') AND {_unseen("v")}
) OR EXISTS (
    SELECT FROM events AS e
    WHERE e.buyer_id = p.buyer_id AND e.kind = 'identity_linked' AND {_unseen("e")} AND NOT EXISTS (
        SELECT FROM unnest(p.link_types, p.link_values) AS own (link_type, link_value)
        WHERE own.link_type = e.link_type AND own.link_value = e.link_value
    )
) END
"""
"""Whether anything is new about links: an account on one, a verdict on such an account, a link."""
PARTS: Final = f"p.packed, {TAIL} AS tail, {CHANGED} AS changed"
"""Columns of `Found` but for the snapshot, for queries that have ``buyer_profiles AS p``."""
READ: Final = f"""
SELECT pg_current_snapshot()::text AS seen, {PARTS}
FROM unnest($1::text[]) WITH ORDINALITY AS asked (buyer_id, n)
LEFT JOIN buyer_profiles AS p ON p.buyer_id = asked.buyer_id
ORDER BY asked.n
"""
SAVE: Final = """
INSERT INTO buyer_profiles AS p (buyer_id, packed, seen, seen_from, link_types, link_values, peers)
VALUES ($1, $2, $3::text, (pg_snapshot_xmin($3::text::pg_snapshot)::text)::bigint, $4, $5, $6)
ON CONFLICT (buyer_id) DO UPDATE SET packed = excluded.packed, seen = excluded.seen,
    seen_from = excluded.seen_from, packed_at = now(),
    link_types = coalesce(excluded.link_types, p.link_types),
    link_values = coalesce(excluded.link_values, p.link_values), peers = coalesce(excluded.peers, p.peers)
"""


@dataclass(frozen=True, slots=True)
class Found:
    """What one statement found of a buyer.

    Attributes
    ----------
    seen : str
        The statement's snapshot.
    packed : bytes or None
        The history as it was packed last.
    tail : str or None
        JSON: the buyer's own events that are not in it.
    changed : bool or None
        Something is new about links: pack anew.
    """

    seen: str
    packed: bytes | None
    tail: str | None
    changed: bool | None


@dataclass(frozen=True, slots=True)
class Packed:
    """A history to keep, complete for ``seen``; links and peers are None where they stay as they are."""

    buyer_id: str
    packed: bytes
    seen: str
    links: Sequence[tuple[str, str]] | None = None
    peers: Sequence[str] | None = None

    def values(self) -> tuple[Any, ...]:
        """Give what `SAVE` takes."""
        split = (
            (None, None) if self.links is None else ([t for t, _ in self.links], [v for _, v in self.links])
        )
        return (self.buyer_id, self.packed, self.seen, *split, self.peers)


async def read(connection: Connection, buyer_ids: Sequence[str]) -> list[Found]:
    """Read profiles and what arrived since, all of one instant, in the order of the ids."""
    return [Found(*row) for row in await connection.fetch(READ, buyer_ids)]


async def save(connection: Connection, packed: Iterable[Packed]) -> None:
    """Keep histories; in the order of the ids, so that two who save the same do not wait in a circle.

    Any history that is complete for its snapshot is right, so it does not matter who saves last.
    """
    rows = sorted((one.values() for one in packed), key=lambda values: values[0])
    if rows:
        await connection.executemany(SAVE, rows)
