"""The event log in the database: read what was known of a buyer, add what is new."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.csv

from features.events import SCHEMA
from features.links import MAX_ACCOUNTS_PER_LINK
from features.rows import COLUMNS as ROW_COLUMNS
from features.rows import Row

if TYPE_CHECKING:
    from .database import Connection

COLUMNS: Final = ", ".join(SCHEMA.names)
CHUNK_ROWS: Final = 20_000
LOAD_SECONDS: Final = 3600.0
"""A whole log may take longer than a request may wait."""

OWN: Final = f"SELECT {COLUMNS} FROM events WHERE buyer_id = ANY($1) AND recorded_at < $2"

OWN_ROWS: Final = f"SELECT {', '.join(ROW_COLUMNS)} FROM events WHERE buyer_id = $1 AND recorded_at < $2"

OWN_OF_ALL: Final = f"SELECT {', '.join(ROW_COLUMNS)} FROM events WHERE buyer_id = ANY($1)"

SHARED: Final = f"""
WITH shared AS (
    SELECT first.* FROM unnest($2::text[], $3::text[]) AS own (link_type, link_value)
    CROSS JOIN LATERAL (
        SELECT l.* FROM links l
        WHERE l.link_type = own.link_type AND l.link_value = own.link_value AND l.first_recorded_at < $4
        ORDER BY l.first_recorded_at, l.buyer_id LIMIT {MAX_ACCOUNTS_PER_LINK}
    ) AS first
    WHERE first.buyer_id <> ALL($1)
)
SELECT
    event_id, buyer_id, 'identity_linked' AS kind, first_recorded_at AS occurred_at,
    first_recorded_at AS recorded_at, link_type, link_value
FROM shared
UNION ALL
SELECT event_id, buyer_id, kind, occurred_at, recorded_at, NULL, NULL FROM events
WHERE buyer_id IN (SELECT buyer_id FROM shared)
    AND kind IN ('abuse_confirmed', 'abuse_cleared') AND recorded_at < $4
"""
SIGHTS: Final = f"""
SELECT first.event_id, first.buyer_id, 'identity_linked' AS kind, first.first_recorded_at AS recorded_at,
    first.link_type, first.link_value
FROM unnest($1::text[], $2::text[]) AS own (link_type, link_value)
CROSS JOIN LATERAL (
    SELECT l.* FROM links l WHERE l.link_type = own.link_type AND l.link_value = own.link_value
    ORDER BY l.first_recorded_at, l.buyer_id LIMIT {MAX_ACCOUNTS_PER_LINK}
) AS first
"""
VERDICTS: Final = """
SELECT event_id, buyer_id, kind, occurred_at, recorded_at FROM events
WHERE buyer_id = ANY($1) AND kind IN ('abuse_confirmed', 'abuse_cleared')
"""
SHARED_COLUMNS: Final = (
    *("event_id", "buyer_id", "kind", "occurred_at", "recorded_at", "link_type", "link_value"),
)


def _of(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in SCHEMA.names)


STAGE: Final = f"""
CREATE TEMP TABLE IF NOT EXISTS staged ON COMMIT DELETE ROWS AS
SELECT {COLUMNS} FROM events WITH NO DATA
"""
FIRST_SEEN: Final = """
INSERT INTO links (link_type, link_value, buyer_id, first_recorded_at, event_id)
SELECT DISTINCT ON (link_type, link_value, buyer_id)
    link_type, link_value, buyer_id, recorded_at, event_id
FROM {source} WHERE kind = 'identity_linked'
ORDER BY link_type, link_value, buyer_id, recorded_at, event_id
ON CONFLICT (link_type, link_value, buyer_id) DO UPDATE
SET first_recorded_at = excluded.first_recorded_at, event_id = excluded.event_id,
    arrival = excluded.arrival
WHERE excluded.first_recorded_at < links.first_recorded_at
"""
MERGE: Final = f"""
WITH fresh AS (
    INSERT INTO events ({COLUMNS}) SELECT {COLUMNS} FROM staged
    WHERE NOT EXISTS (SELECT FROM events WHERE events.event_id = staged.event_id)
    ORDER BY buyer_id, recorded_at, event_id
    ON CONFLICT (event_id) DO NOTHING
    RETURNING event_id, buyer_id, kind, recorded_at, link_type, link_value
), first_seen AS ({FIRST_SEEN.format(source="fresh")})
"""
CHANGED: Final = f"""
SELECT event_id FROM staged AS s JOIN events AS e USING (event_id)
WHERE ({_of("s")}) IS DISTINCT FROM ({_of("e")})
ORDER BY event_id
"""


FRESHNESS: Final = """
SELECT extract(epoch FROM max(ingested_at))::float8,
    extract(epoch FROM percentile_cont(0.5) WITHIN GROUP (ORDER BY ingested_at - recorded_at))::float8
FROM events WHERE ctid >= format(
    '(%s,0)', greatest(pg_relation_size('events') / current_setting('block_size')::bigint - 8, 0)
)::tid
"""


@dataclass(frozen=True)
class Merged:
    """What became of a batch: how many rows were new, and the ids that are stored with other content."""

    new: int
    changed: list[str]


async def rows(connection: Connection, buyer_id: str, as_of: datetime) -> list[Row]:
    """Read one buyer's events recorded before ``as_of``, and what linked accounts add to them.

    Of each link only the first 64 accounts are read, which are all that the features look at; of those
    accounts their first sight on the link and their abuse verdicts.
    """
    own: list[Row] = await connection.fetch(OWN_ROWS, buyer_id, as_of)
    return own + await _shared(connection, [buyer_id], own, as_of)


@dataclass(frozen=True, slots=True)
class Told:
    """All that the log tells of a buyer: the rows that features rest on, the links, who else is on them."""

    rows: list[Row]
    links: list[tuple[str, str]]
    peers: list[str]


async def told_of(connection: Connection, buyer_ids: Collection[str]) -> dict[str, Told]:
    """Read what `rows` reads, of many buyers and without an end."""
    own: dict[str, list[Row]] = {buyer_id: [] for buyer_id in buyer_ids}
    for row in await connection.fetch(OWN_OF_ALL, list(own)):
        own[row["buyer_id"]].append(row)
    links = {buyer_id: _links(rows) for buyer_id, rows in own.items()}
    sights: dict[tuple[str, str], list[Row]] = defaultdict(list)
    verdicts: dict[str, list[Row]] = defaultdict(list)
    if every := sorted({link for found in links.values() for link in found}):
        types, values = zip(*every, strict=True)
        for row in await connection.fetch(SIGHTS, types, values):
            sights[row["link_type"], row["link_value"]].append(row)
        accounts = {row["buyer_id"] for rows in sights.values() for row in rows}
        for row in await connection.fetch(VERDICTS, list(accounts)):
            verdicts[row["buyer_id"]].append(row)
    return {
        buyer_id: _told(buyer_id, rows, links[buyer_id], sights, verdicts) for buyer_id, rows in own.items()
    }


def _told(
    buyer_id: str,
    own: list[Row],
    links: list[tuple[str, str]],
    sights: Mapping[tuple[str, str], list[Row]],
    verdicts: Mapping[str, list[Row]],
) -> Told:
    others = [row for link in links for row in sights[link] if row["buyer_id"] != buyer_id]
    peers = sorted({row["buyer_id"] for row in others})
    judged = [row for peer in peers for row in verdicts[peer]]
    return Told([*own, *others, *judged], links, peers)


async def history(connection: Connection, buyer_ids: Sequence[str], as_of: datetime) -> pa.Table:
    """Read what `rows` reads, of many buyers, with every column of the contract."""
    own = await connection.fetch(OWN, buyer_ids, as_of)
    shared = await _shared(connection, buyer_ids, own, as_of)
    table = _table(SCHEMA.names, own)
    return pa.concat_tables([table, _table(SHARED_COLUMNS, shared)]) if shared else table


async def _shared(
    connection: Connection, buyer_ids: Sequence[str], own: Sequence[Row], as_of: datetime
) -> list[Row]:
    links = _links(own)
    if not links:
        return []
    types, values = zip(*links, strict=True)
    shared: list[Row] = await connection.fetch(SHARED, buyer_ids, types, values, as_of)
    return shared


def _links(own: Sequence[Row]) -> list[tuple[str, str]]:
    return sorted(
        {
            (row["link_type"], row["link_value"])
            for row in own
            if row["kind"] == "identity_linked" and row["link_value"] is not None
        }
    )


async def append(connection: Connection, events: pa.Table) -> dict[str, bool]:
    """Add a batch inside the caller's transaction.

    Returns
    -------
    dict of str to bool
        By event id, of those that were not added: whether the stored event has the same content.
    """
    await _stage(connection, events, lambda _: None)
    fresh = {row[0] for row in await connection.fetch(f"{MERGE} SELECT event_id FROM fresh")}
    known = [event_id for event_id in events["event_id"].to_pylist() if event_id not in fresh]
    if not known:
        return {}
    changed = {row[0] for row in await connection.fetch(CHANGED)}
    return {event_id: event_id not in changed for event_id in known}


async def load(connection: Connection, events: pa.Table, *, progress: Callable[[int], None]) -> Merged:
    """Add a whole log inside the caller's transaction; ``progress`` gets the rows sent so far.

    Rows are sent by buyer, so that a history lies on few pages.
    """
    ordered = events.sort_by(
        [("buyer_id", "ascending"), ("recorded_at", "ascending"), ("event_id", "ascending")]
    )
    if await _locked_empty(connection):
        await _copy(connection, "events", ordered, progress)
        await connection.execute(FIRST_SEEN.format(source="events"), timeout=LOAD_SECONDS)
        return Merged(events.num_rows, [])
    await _stage(connection, ordered, progress)
    new: int = await connection.fetchval(f"{MERGE} SELECT count(*) FROM fresh", timeout=LOAD_SECONDS)
    if new == events.num_rows:
        return Merged(new, [])
    return Merged(new, [row[0] for row in await connection.fetch(CHANGED, timeout=LOAD_SECONDS)])


async def freshness(connection: Connection) -> tuple[float | None, float | None]:
    """Tell when the log last grew, and how long after being recorded its newest events came in, in seconds.

    Looks at the table's last pages, where rows are added; None while the log is empty.
    """
    found = await connection.fetchrow(FRESHNESS)
    assert found is not None, "an aggregate always gives a row"
    return found[0], found[1]


async def analyze(connection: Connection) -> None:
    """Let PostgreSQL count anew, so that it plans by indexes right after a big load."""
    await connection.execute("ANALYZE events, links", timeout=LOAD_SECONDS)


async def _locked_empty(connection: Connection) -> bool:
    """Tell whether the log is empty and, if so, keep other writers out until the transaction ends."""
    empty = "SELECT NOT EXISTS (SELECT FROM events)"
    if not await connection.fetchval(empty):
        return False
    await connection.execute("LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE")
    return bool(await connection.fetchval(empty))


async def _stage(connection: Connection, events: pa.Table, progress: Callable[[int], None]) -> None:
    await connection.execute(STAGE)
    await _copy(connection, "staged", events, progress)


async def _copy(connection: Connection, name: str, events: pa.Table, progress: Callable[[int], None]) -> None:
    await connection.copy_to_table(
        name, source=_csv(events, progress), columns=SCHEMA.names, format="csv", timeout=LOAD_SECONDS
    )


async def _csv(events: pa.Table, progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    """Yield COPY's CSV: text is quoted, so an empty text and a null stay apart."""
    options = pyarrow.csv.WriteOptions(include_header=False)
    for start in range(0, events.num_rows, CHUNK_ROWS):
        part = events.slice(start, CHUNK_ROWS)
        sink = io.BytesIO()
        pyarrow.csv.write_csv(part, sink, options)
        yield sink.getvalue()
        progress(start + part.num_rows)


def _table(names: Sequence[str], rows: Sequence[Any]) -> pa.Table:
    columns = dict(zip(names, zip(*rows, strict=True), strict=True)) if rows else {}
    nothing = (None,) * len(rows)
    return pa.Table.from_arrays(
        [pa.array(columns.get(field.name, nothing), field.type) for field in SCHEMA], schema=SCHEMA
    )
