"""A whole event log at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from features.rows import EPOCH

from .errors import StoredEventsDiffer
from .histories import pack_all
from .store import events as event_store
from .store.database import Database

PACKED_AT_ONCE: Final = 500


async def load_log(
    database: Database, events: pa.Table, *, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Load a checked log in one transaction and return how many of its events were new.

    Then each buyer's history is packed, so that the first request finds it; should that be cut off, each is
    packed when it is first asked for.

    Raises
    ------
    StoredEventsDiffer
        Some events are stored with other content; nothing has been loaded.
    """
    async with database.transaction() as connection:
        merged = await event_store.load(connection, events, progress=progress)
        if merged.changed:
            raise StoredEventsDiffer(merged.changed)
    async with database.connection() as connection:
        await event_store.analyze(connection)
    await pack_histories(database, events)
    return merged.new


async def pack_histories(database: Database, events: pa.Table) -> None:
    """Pack the histories of all buyers of a log that is stored."""
    buyers, after = pc.unique(events["buyer_id"]).to_pylist(), _after(events)
    for start in range(0, len(buyers), PACKED_AT_ONCE):
        async with database.transaction() as connection:
            await pack_all(connection, buyers[start : start + PACKED_AT_ONCE], after)


def _after(events: pa.Table) -> datetime:
    """Give the first instant at which all of the log is known."""
    latest: datetime | None = pc.max(events["recorded_at"]).as_py()
    return (latest or EPOCH) + timedelta(microseconds=1)
