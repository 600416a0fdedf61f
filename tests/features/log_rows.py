"""Rows of the event contract for tests: sound unless a column is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from features.events import SCHEMA

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def event(event_id: str | None, kind: str | None = "order_paid", **columns: Any) -> dict[str, Any]:
    row = dict.fromkeys(SCHEMA.names)
    row |= {"event_id": event_id, "buyer_id": "b1", "kind": kind, "order_id": "o1"}
    return row | {"occurred_at": NOON, "recorded_at": NOON, "amount_fen": 29_900} | columns


def table(*rows: dict[str, Any]) -> pa.Table:
    """Build a table without the contract's promise that keys are not null."""
    return pa.Table.from_pylist(list(rows), schema=pa.schema([f.with_nullable(True) for f in SCHEMA]))


def with_column(events: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return events.set_column(events.column_names.index(name), name, values)
