"""The service's events and decisions as a growing folder of Parquet, which is itself an event log.

Each run adds what the run before could not see: its snapshot of the database is kept in the manifest, and
PostgreSQL knows of every row whether a snapshot saw it. So a row that was recorded earlier but arrived
later, or whose transaction began earlier and ended later, is neither missed nor taken twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import BadInput
from features.events import SCHEMA
from features.parts import EVENTS_FILE

from .decision_table import decision_table
from .export_folder import Folder, Manifest, held
from .store import readback
from .store.arrow import Cursor, snapshot

DECISIONS_FILE: Final = "decisions.parquet"

OnRows = Callable[[str, int], None]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What a run added, and what the folder holds now."""

    new_events: int
    new_decisions: int
    events: int
    decisions: int


def export(url: str, directory: Path, *, on_rows: OnRows = lambda _what, _rows: None) -> Exported:
    """Bring a folder up to date with the database.

    Parameters
    ----------
    url : str
        The service's database, migrated.
    directory : Path
        New, empty, or an earlier export of the same database. ``events.parquet`` and
        ``decisions.parquet`` in it are folders of parts, one more a run; ``manifest.json`` says which.
    on_rows : callable
        Told what is being written and how many rows so far.

    Raises
    ------
    BadInput
        The folder holds something else, belongs to another database, or cannot be written.
    Unavailable
        The database is away; the folder is as it was.
    """
    with held(directory) as folder, snapshot(url) as cursor:
        now, before = readback.mark(cursor), folder.before
        if before is not None and before.database != now.database:
            raise BadInput(f"{directory}: was exported from another database; name another folder")
        new = _written(cursor, folder, on_rows=on_rows)
        manifest = folder.take_over(now, new)
    added = Manifest(now.database, now.snapshot, new)
    return Exported(
        new_events=added.rows(EVENTS_FILE),
        new_decisions=added.rows(DECISIONS_FILE),
        events=manifest.rows(EVENTS_FILE),
        decisions=manifest.rows(DECISIONS_FILE),
    )


def spool_events(url: str, target: Path) -> int:
    """Write all events of a service's database into one Parquet file, batch by batch, and count them."""
    with snapshot(url) as cursor:
        return _write(target, _events(cursor, None), lambda _: None)


def _written(cursor: Cursor, folder: Folder, *, on_rows: OnRows) -> dict[str, int]:
    """Write the run's parts and count their rows by name; a part without rows is kept only as the first."""
    after = folder.before.snapshot if folder.before else None
    run = 1 + (folder.before.runs if folder.before else 0)
    for kind in (EVENTS_FILE, DECISIONS_FILE):
        (folder.pending / kind).mkdir()
    name = f"{EVENTS_FILE}/{run:06d}.parquet"
    parts = {name: _write(folder.pending / name, _events(cursor, after), lambda n: on_rows("events", n))}
    known = readback.catalogs(cursor)
    for version in readback.decided_catalogs(cursor, after=after):
        rows = readback.decisions(cursor, after=after, catalog_version=version)
        tables = (decision_table(pa.table(batch), known.get(version)) for batch in rows)
        name = f"{DECISIONS_FILE}/{run:06d}-{version}.parquet"
        parts[name] = _write(folder.pending / name, tables, lambda n: on_rows("decisions", n))
    return {name: rows for name, rows in parts.items() if rows or folder.before is None}


def _events(cursor: Cursor, after: str | None) -> Iterator[pa.Table]:
    return (pa.table(batch).cast(SCHEMA) for batch in readback.events(cursor, after=after))


def _write(target: Path, tables: Iterator[pa.Table], on_rows: Callable[[int], None]) -> int:
    """Write tables as they come, and count the rows; the first, which may be empty, gives the columns."""
    first, rows = next(tables), 0
    with pq.ParquetWriter(target, first.schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)
            on_rows(rows := rows + len(table))
    return rows
