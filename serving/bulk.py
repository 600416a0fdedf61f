"""A whole event log at once."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from .errors import StoredEventsDiffer
from .store import events as event_store
from .store.database import Database


async def load_log(
    database: Database, events: pa.Table, *, progress: Callable[[int], None] = lambda _: None
) -> int:
    """Load a checked log in one transaction and return how many of its events were new.

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
    return merged.new
