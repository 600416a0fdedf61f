"""Read a Parquet log batch by batch, only the columns asked for, in the contract's types or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from .errors import BadInput
from .events import OPTIONAL_COLUMNS, SCHEMA, TIMESTAMP, VOCABULARY
from .parts import HERE, is_csv, parts_of
from .row_checks import refuse_broken

BATCH_ROWS: Final = 1 << 18
_REPEATING: Final = [*VOCABULARY, "outcome", "shop_id", "category_id"]
"""Columns of few words: Parquet's own dictionary is kept rather than decoded and found again."""


@dataclass(frozen=True)
class Log:
    """The files of a log, checked to hold the contract's columns in types that can be read exactly.

    Attributes
    ----------
    name : str
        What to call it in messages.
    parts : tuple of str
        Paths on ``filesystem``; their order is the order of the rows and changes no feature.
    rows : int
    filesystem : pyarrow.fs.FileSystem
    """

    name: str
    parts: tuple[str, ...]
    rows: int
    filesystem: fs.FileSystem

    def infos(self) -> list[fs.FileInfo]:
        """Return size and time of every file, as they are now."""
        found: list[fs.FileInfo] = self.filesystem.get_file_info(list(self.parts))
        return found


def open_log(path: str | Path | Log, *, filesystem: fs.FileSystem = HERE) -> Log:
    """Find a Parquet log's files and look at every schema before any row is read.

    Raises
    ------
    BadInput
        As `features.parts.parts_of` and `log_of`.
    """
    return (
        path
        if isinstance(path, Log)
        else log_of(str(path), parts_of(path, filesystem=filesystem), filesystem)
    )


def log_of(name: str, parts: Sequence[str], filesystem: fs.FileSystem = HERE) -> Log:
    """Take these Parquet files, on any file system that Arrow knows, as one log.

    An fsspec file system goes in as ``PyFileSystem(FSSpecHandler(it))``.

    Raises
    ------
    BadInput
        A CSV file, an unreadable file, a missing column, a time without zone, another type.
    """
    rows = 0
    for part in parts:
        if is_csv(part):
            raise BadInput(f"{part}: is CSV, which is not read in pieces; import it to Parquet first")
        with _reading(part), pq.ParquetFile(part, filesystem=filesystem) as file:
            _check_schema(part, file.schema_arrow)
            rows += file.metadata.num_rows
    return Log(name, tuple(parts), rows, filesystem)


def batches(log: Log, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the log's rows in the contract's types; the next batch is read while one is worked on.

    Raises
    ------
    BadInput
        A null where the contract has none, a time that microseconds do not hold, a row that
        `features.row_checks` refuses, an unreadable file.
    """
    source = (batch for part in log.parts for batch in _of_part(log, part, columns))
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(next, source, None)
        while (batch := ahead.result()) is not None:
            ahead = reader.submit(next, source, None)
            yield batch


def _of_part(log: Log, part: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    with _reading(part), pq.ParquetFile(part, filesystem=log.filesystem, read_dictionary=_REPEATING) as file:
        there = [name for name in columns if name in file.schema_arrow.names]
        for batch in file.iter_batches(BATCH_ROWS, columns=there):
            yield _conformed(part, batch, columns)


def _conformed(part: str, batch: pa.RecordBatch, columns: Iterable[str]) -> pa.RecordBatch:
    arrays = {name: _column(part, batch, name) for name in columns}
    refuse_broken(part, arrays)
    return pa.RecordBatch.from_pydict(arrays)


def _column(part: str, batch: pa.RecordBatch, name: str) -> pa.Array:
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


def _check_schema(part: str, schema: pa.Schema) -> None:
    for field in SCHEMA:
        if field.name in OPTIONAL_COLUMNS and field.name not in schema.names:
            continue
        if field.name not in schema.names:
            raise BadInput(f"{part}: has no column {field.name}; every file of a log needs it")
        if schema.names.count(field.name) > 1:
            raise BadInput(f"{part}: has the column {field.name} more than once")
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


@contextmanager
def _reading(part: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"{part}: cannot be read ({first})") from error
