"""Read a Parquet log batch by batch, only the columns asked for, in the contract's types or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .errors import BadInput
from .events import OPTIONAL_COLUMNS, SCHEMA, TIMESTAMP, VOCABULARY

EVENTS_FILE: Final = "events.parquet"
TRUTH_FILE: Final = "truth.parquet"
BATCH_ROWS: Final = 1 << 18
_REPEATING: Final = [*VOCABULARY, "outcome", "shop_id", "category_id"]
"""Columns of few words: Parquet's own dictionary is kept rather than decoded and found again."""


@dataclass(frozen=True)
class Log:
    """The files of a log, checked to hold the contract's columns in types that can be read exactly.

    Attributes
    ----------
    path : Path
    parts : tuple of Path
        In the order of their names, which is the order of the rows.
    rows : int
    """

    path: Path
    parts: tuple[Path, ...]
    rows: int


def open_log(path: Path) -> Log:
    """Look at every file's schema before any row is read.

    Raises
    ------
    BadInput
        No Parquet file, an unreadable file, a missing column, a time without zone, another type.
    """
    parts = _parquet_parts(path)
    rows = 0
    for part in parts:
        with _reading(part), pq.ParquetFile(part) as file:
            _check_schema(part, file.schema_arrow)
            rows += file.metadata.num_rows
    return Log(path, parts, rows)


def batches(log: Log, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the log's rows in the contract's types; the next batch is read while one is worked on.

    Raises
    ------
    BadInput
        A null where the contract has none, a time that microseconds do not hold, a negative amount, an
        event recorded before it occurred, an unreadable file.
    """
    source = (batch for part in log.parts for batch in _of_part(part, columns))
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(next, source, None)
        while (batch := ahead.result()) is not None:
            ahead = reader.submit(next, source, None)
            yield batch


def _of_part(part: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with _reading(part), pq.ParquetFile(part, read_dictionary=_REPEATING, memory_map=False) as file:
        there = [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(BATCH_ROWS, columns=there):
            yield _conformed(part, batch, columns)


def _conformed(part: Path, batch: pa.RecordBatch, columns: Iterable[str]) -> pa.RecordBatch:
    arrays = {name: _column(part, batch, name) for name in columns}
    _check_values(part, arrays)
    return pa.RecordBatch.from_pydict(arrays)


def _check_values(part: Path, arrays: dict[str, pa.Array]) -> None:
    """Refuse what no event can be, among the columns that are read."""
    least = pc.min(arrays["amount_fen"]).as_py() if "amount_fen" in arrays else None
    if least is not None and least < 0:
        raise BadInput(f"{part}: amount_fen holds {least}; an amount is never negative")
    if "occurred_at" in arrays and "recorded_at" in arrays:
        early = pc.sum(pc.less(arrays["recorded_at"], arrays["occurred_at"])).as_py()
        if early:
            raise BadInput(f"{part}: {early} events are recorded before they occurred; correct the times")


def _column(part: Path, batch: pa.RecordBatch, name: str) -> pa.Array:
    field = SCHEMA.field(name)
    if name not in batch.schema.names:
        return pa.nulls(len(batch), field.type)
    column = batch.column(name)
    if column.null_count and not field.nullable:
        raise BadInput(f"{part}: {column.null_count} nulls in {name}; every event needs one")
    if column.type == field.type or pa.types.is_dictionary(column.type):
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        first = str(error).splitlines()[0]
        raise BadInput(f"{part}: {name} is {column.type} and not exact as {field.type} ({first})") from None


def _check_schema(part: Path, schema: pa.Schema) -> None:
    for field in SCHEMA:
        if field.name in OPTIONAL_COLUMNS and field.name not in schema.names:
            continue
        if field.name not in schema.names:
            raise BadInput(f"{part}: has no column {field.name}; every file of a log needs it")
        if not _readable(schema.field(field.name).type, field.type):
            kind = schema.field(field.name).type
            hint = "; give it a time zone" if pa.types.is_timestamp(kind) else ""
            raise BadInput(f"{part}: {field.name} is {kind}, the log needs {field.type}{hint}")


def _readable(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(found):
        found = found.value_type
    if pa.types.is_null(found):
        return True
    if wanted == TIMESTAMP:
        return bool(pa.types.is_timestamp(found) and found.tz is not None)
    if pa.types.is_integer(wanted):
        return bool(pa.types.is_integer(found))
    return bool(
        pa.types.is_string(found) or pa.types.is_large_string(found) or pa.types.is_string_view(found)
    )


def _parquet_parts(path: Path) -> tuple[Path, ...]:
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder")
    root = path / EVENTS_FILE if (path / EVENTS_FILE).exists() else path
    if root.is_file():
        return (root,)
    found = sorted(p for p in root.rglob("*.parquet") if p.is_file() and p.name != TRUTH_FILE)
    parts = tuple(p for p in found if not any(s.startswith((".", "_")) for s in p.relative_to(root).parts))
    if not parts:
        raise BadInput(f"{path}: holds no {EVENTS_FILE} and no other .parquet file of events")
    return parts


@contextmanager
def _reading(part: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{part}: cannot be read ({first})") from error
