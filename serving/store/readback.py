"""Read events and decisions back in bulk: what arrived since a snapshot, and what verification asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyarrow as pa

from features.events import SCHEMA, TIMESTAMP
from features.skew import Meaning

from .arrow import Cursor, lend, run, streamed, table

COLUMNS: Final = ", ".join(SCHEMA.names)
SNAPSHOT: Final = re.compile(r"(\d+):(\d+):((?:\d+(?:,\d+)*)?)")
VERSION: Final = re.compile(r"\w+")
MARK: Final = """
SELECT (SELECT system_identifier::text FROM pg_control_system()) || ' ' || current_database()
    || ' ' || 'events'::regclass::oid, pg_current_snapshot()::text
"""
DECISION_COLUMNS: Final = (
    "decision_id, after_sale_id, buyer_id, order_id, shop_id, requested_at, decided_at, outcome, "
    "refund_amount_fen, score, p_abuse, tier, standing, propensity, model_version, policy_version, "
    "catalog_version"
)
RULES: Final = "(convert_from(answer, 'UTF8')::json -> 'rules')::text AS rules"
ARRIVED_SCHEMA: Final = pa.schema(
    [*SCHEMA, pa.field("arrival", pa.int64()), pa.field("ingested_at", TIMESTAMP)]
)
"""An event, the transaction that brought it, and when."""
ARRIVED: Final = ", ".join(ARRIVED_SCHEMA.names)
ABOUT: Final = f"""
WITH own AS (SELECT {ARRIVED} FROM events WHERE buyer_id IN (SELECT buyer_id FROM asked_buyers)),
link AS (SELECT DISTINCT link_type, link_value FROM own WHERE kind = 'identity_linked'),
sight AS (
    SELECT {ARRIVED} FROM events JOIN link USING (link_type, link_value)
    WHERE kind = 'identity_linked' AND buyer_id NOT IN (SELECT buyer_id FROM asked_buyers)
)
SELECT * FROM own UNION ALL SELECT * FROM sight UNION ALL
SELECT {ARRIVED} FROM events
WHERE buyer_id IN (SELECT buyer_id FROM sight) AND kind IN ('abuse_confirmed', 'abuse_cleared')
"""
BY_ID: Final = f"SELECT {ARRIVED} FROM events JOIN asked_events USING (event_id)"
STORED: Final = """
SELECT decision_id, buyer_id, requested_at, decided_at, catalog_version, vector, seen
FROM decisions JOIN asked_decisions USING (decision_id) ORDER BY decision_id
"""


@dataclass(frozen=True, slots=True)
class Mark:
    """Which database this is, and what of it one snapshot sees."""

    database: str
    snapshot: str


def mark(cursor: Cursor) -> Mark:
    """Name the database (another after a restore elsewhere) and the snapshot that the cursor reads."""
    run(cursor, MARK)
    return Mark(*cursor.fetchone())


def events(cursor: Cursor, *, after: str | None) -> Iterator[pa.RecordBatch]:
    """Yield the events that arrived after a snapshot, in the order of ``recorded_at``; all without one."""
    yield from streamed(
        cursor, f"SELECT {COLUMNS} FROM events WHERE {_arrived(after)} ORDER BY recorded_at, event_id"
    )


def decided_catalogs(cursor: Cursor, *, after: str | None) -> list[str]:
    """List the catalogs of the decisions that arrived after a snapshot."""
    query = f"SELECT DISTINCT catalog_version FROM decisions WHERE {_arrived(after)} ORDER BY 1"
    return [str(v) for v in table(cursor, query)["catalog_version"].to_pylist()]


def decisions(cursor: Cursor, *, after: str | None, catalog_version: str) -> Iterator[pa.RecordBatch]:
    """Yield one catalog's decisions that arrived after a snapshot, in the order of ``decided_at``."""
    yield from streamed(
        cursor,
        f"SELECT {DECISION_COLUMNS}, {RULES}, vector FROM decisions "
        f"WHERE {_arrived(after)} AND catalog_version = {_quoted(catalog_version)} "
        "ORDER BY decided_at, decision_id",
    )


def catalogs(cursor: Cursor) -> dict[str, list[Meaning]]:
    """Give the columns of every catalog that has been in use: name and meaning, in order."""
    found = table(cursor, "SELECT catalog_version, features::text AS features FROM catalogs")
    return {
        row["catalog_version"]: [(n, m) for n, m in json.loads(row["features"])] for row in found.to_pylist()
    }


def decision_ids(cursor: Cursor, *, since: datetime | None, sample: int | None, seed: int) -> list[str]:
    """Draw decisions, the same ones for the same seed; all of them without ``sample``. In order of the id."""
    where = "true" if since is None else f"decided_at >= {_quoted(since.isoformat())}::timestamptz"
    drawn = "" if sample is None else f"ORDER BY md5(decision_id || {_quoted(str(seed))}) LIMIT {sample:d}"
    query = f"SELECT decision_id FROM decisions WHERE {where} {drawn}"
    return sorted(table(cursor, query)["decision_id"].to_pylist())


def stored_vectors(cursor: Cursor, ids: Sequence[str]) -> pa.Table:
    """Read what verification needs of decisions, in the order of their ids."""
    lend(cursor, "asked_decisions", pa.table({"decision_id": pa.array(ids, pa.string())}))
    return table(cursor, STORED)


def events_about(cursor: Cursor, buyers: pa.Array) -> pa.Table:
    """Read all that features of these buyers can rest on, in `ARRIVED_SCHEMA`.

    Their events, every sight of other accounts on their links, and those accounts' verdicts of abuse. The
    service's own table of links is not asked: it is among what is verified.
    """
    lend(cursor, "asked_buyers", pa.table({"buyer_id": buyers}))
    return table(cursor, ABOUT).cast(ARRIVED_SCHEMA)


def events_by_id(cursor: Cursor, ids: pa.Array) -> pa.Table:
    """Read events by their ids, like `events_about`."""
    lend(cursor, "asked_events", pa.table({"event_id": ids}))
    return table(cursor, BY_ID).select(ARRIVED_SCHEMA.names).cast(ARRIVED_SCHEMA)


def _arrived(after: str | None) -> str:
    """Select what a snapshot could not see; the bound before it lets the index skip the old."""
    if after is None:
        return "true"
    found = SNAPSHOT.fullmatch(after)
    if found is None:
        raise ValueError(f"{after!r} is not a snapshot")
    unseen = f"NOT pg_visible_in_snapshot(arrival::text::xid8, '{after}'::pg_snapshot)"
    return f"arrival >= {found[1]} AND {unseen}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
