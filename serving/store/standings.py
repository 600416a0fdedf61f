"""Standings: one row a buyer of whom anything was ever heard, and every change, only added to.

As with packed histories, a row says by a snapshot which signals of the log are in it already; those that are
not are found exactly, whatever the clocks said.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from decisions.shanghai import EPOCH
from decisions.signals import signal_of_event
from decisions.standing import FRESH, Signal, Standing, Transition
from decisions.standing_events import as_event, as_record, from_record
from models.deciding.moving import Moved

from . import chains
from .chains import Lane

if TYPE_CHECKING:
    from .database import Connection

KINDS: Final = ("abuse_confirmed", "abuse_cleared", "dispute_closed", "refund_found_shipped")


def _us(name: str) -> str:
    return f"(extract(epoch FROM e.{name}) * 1000000)::bigint AS {name}"


SIGNALS: Final = f"""
(SELECT json_agg(signal)::text FROM (
    SELECT e.event_id, e.kind, {_us("occurred_at")}, {_us("recorded_at")}, e.outcome, e.fault, e.reason,
        coalesce(e.after_sale_id, e.order_id) AS reference, e.amount_fen AS fen
    FROM events AS e WHERE e.buyer_id = asked.buyer_id AND e.kind IN ({", ".join(f"'{k}'" for k in KINDS)})
    AND (s.seen IS NULL OR (
        e.arrival >= s.seen_from AND NOT pg_visible_in_snapshot(e.arrival::text::xid8, s.seen::pg_snapshot)
    ))
) AS signal)
"""
"""The buyer's signals that the standing has not heard of, as JSON; null if there are none."""
PARTS: Final = f"s.record AS standing, {SIGNALS} AS signals"
"""Columns of `Heard` but for the snapshot, for queries that have ``asked`` and ``standings AS s``."""
JOIN: Final = "LEFT JOIN standings AS s ON s.buyer_id = asked.buyer_id"
READ: Final = f"""
SELECT pg_current_snapshot()::text AS seen, {PARTS}
FROM unnest($1::text[]) WITH ORDINALITY AS asked (buyer_id, n) {JOIN} ORDER BY asked.n
"""
SAVE: Final = """
INSERT INTO standings (buyer_id, state, until, record, seen, seen_from)
VALUES ($1, $2, $3, $4, $5::text, (pg_snapshot_xmin($5::text::pg_snapshot)::text)::bigint)
ON CONFLICT (buyer_id) DO UPDATE SET state = excluded.state, until = excluded.until,
    record = excluded.record, seen = excluded.seen, seen_from = excluded.seen_from
"""
QUIET: Final = b'{"state":"eligible",', b'{"state":"new",'
"""How the records begin of which time alone changes nothing."""
SWEEP_SECONDS: Final = 3600.0
"""What looks at all buyers may take longer than a request may wait."""
COLUMNS: Final = (*chains.CHAINED["standing_transitions"], *chains.LINK)
_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Heard:
    """What one statement found: its snapshot, the record, and the signals that are not in it."""

    seen: str
    record: bytes | None
    signals: str | None

    @property
    def is_quiet(self) -> bool:
        """Tell whether the record, as it is, says nothing against the buyer and nothing is new."""
        return self.signals is None and (self.record is None or self.record.startswith(QUIET))

    def standing(self) -> Standing:
        """Read the record."""
        return FRESH if self.record is None else from_record(msgspec.json.decode(self.record))

    def told(self, now: datetime) -> list[Signal]:
        """Read the signals. One dated ahead is known now: the time until then has not passed."""
        rows = () if self.signals is None else msgspec.json.decode(self.signals)
        return [signal for row in rows if (signal := _signal(row, now)) is not None]


def _signal(row: dict[str, Any], now: datetime) -> Signal | None:
    for name in ("occurred_at", "recorded_at"):
        row[name] = min(EPOCH + timedelta(microseconds=row[name]), now)
    return signal_of_event(row.pop("kind"), **row)


async def read(connection: Connection, buyer_ids: Sequence[str]) -> list[Heard]:
    """Read standings and what they have not heard of, in the order of the ids."""
    return [Heard(*row) for row in await connection.fetch(READ, buyer_ids)]


async def save(connection: Connection, moved: Sequence[Moved], lane: Lane | None = None) -> None:
    """Keep standings and add their transitions, chained; the caller holds the buyers' locks.

    Parameters
    ----------
    lane : Lane, optional
        The chain that the transaction has taken already, if it has.
    """
    if not moved:
        return
    rows = [
        (m.buyer_id, t.version, t.at, t.appeal, _encode(as_event(t))) for m in moved for t in m.transitions
    ]
    if rows:
        lane = lane or await chains.take(connection)
        chained = [lane.chained("standing_transitions", row) for row in rows]
        await connection.copy_records_to_table("standing_transitions", records=chained, columns=COLUMNS)
    ordered = sorted(moved, key=lambda m: m.buyer_id)
    await connection.executemany(
        SAVE,
        [
            (m.buyer_id, m.standing.state, m.standing.until, _encode(as_record(m.standing)), m.seen)
            for m in ordered
        ],
    )


async def transitions(connection: Connection, buyer_id: str) -> list[dict[str, Any]]:
    """Read all transitions of a buyer as events, the first first."""
    rows = await connection.fetch(
        "SELECT event FROM standing_transitions WHERE buyer_id = $1 ORDER BY version", buyer_id
    )
    return [msgspec.json.decode(event) for (event,) in rows]


async def buyer_of_appeal(connection: Connection, appeal: str) -> str | None:
    """Find whose appeal it is."""
    found: str | None = await connection.fetchval(
        "SELECT buyer_id FROM standing_transitions WHERE appeal = $1", appeal
    )
    return found


async def every(connection: Connection) -> AsyncIterator[tuple[str, bytes | None, list[bytes]]]:
    """Give every buyer's record with all transitions, inside a transaction; the record may be missing."""
    query = """
    SELECT buyer_id, s.record, coalesce(t.events, '{}') FROM standings AS s FULL JOIN (
        SELECT buyer_id, array_agg(event ORDER BY version) AS events FROM standing_transitions GROUP BY 1
    ) AS t USING (buyer_id) ORDER BY buyer_id
    """
    async for buyer_id, record, events in connection.cursor(query, timeout=SWEEP_SECONDS):
        yield buyer_id, record, list(events)


def as_events(changed: Sequence[Transition]) -> list[dict[str, Any]]:
    """Give transitions that are not written yet in the form in which they would be read."""
    return [msgspec.json.decode(_encode(as_event(t))) for t in changed]


async def due(connection: Connection, now: datetime) -> list[str]:
    """Find buyers of whom the log has something that their standing has not heard, or whose term ended."""
    query = f"""
    SELECT e.buyer_id FROM events AS e LEFT JOIN standings AS s USING (buyer_id)
    WHERE e.kind IN ({", ".join(f"'{k}'" for k in KINDS)}) AND (s.seen IS NULL OR (
        e.arrival >= s.seen_from AND NOT pg_visible_in_snapshot(e.arrival::text::xid8, s.seen::pg_snapshot)
    ))
    UNION SELECT buyer_id FROM standings WHERE until <= $1 ORDER BY 1
    """
    return [buyer_id for (buyer_id,) in await connection.fetch(query, now, timeout=SWEEP_SECONDS)]


async def everyone(connection: Connection) -> list[str]:
    """List all buyers of the log."""
    rows = await connection.fetch("SELECT DISTINCT buyer_id FROM events", timeout=SWEEP_SECONDS)
    return [buyer_id for (buyer_id,) in rows]
