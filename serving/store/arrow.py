"""Many rows at once: PostgreSQL to Arrow by ADBC, batch by batch, all of one instant."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import adbc_driver_manager
import adbc_driver_postgresql.dbapi
import pyarrow as pa

from ..errors import Unavailable

Cursor: TypeAlias = Any
"""A cursor of ADBC's DB-API, which is not typed."""

CONNECT_SECONDS: Final = 10
TROUBLE: Final = (adbc_driver_manager.Error, pa.ArrowException, OSError)
"""What a lost server raises: the driver's errors from calls, Arrow's and the system's from streams."""


@contextmanager
def snapshot(url: str) -> Iterator[Cursor]:
    """Lend a cursor whose queries all see the database as it was at one instant; nothing is kept.

    Raises
    ------
    Unavailable
        There is no connection, or what is asked for is not there. No password is in the reason.
    """
    try:
        connection = adbc_driver_postgresql.dbapi.connect(_bounded(url), autocommit=False)
    except adbc_driver_manager.Error as error:
        raise Unavailable("database", _unconnected(error)) from error
    with connection, connection.cursor() as cursor:
        run(cursor, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield cursor


def run(cursor: Cursor, query: str) -> None:
    """Run a query; its rows wait to be read."""
    try:
        cursor.execute(query)
    except TROUBLE as error:
        raise Unavailable("database", _reason(error)) from error


def streamed(cursor: Cursor, query: str) -> Iterator[pa.RecordBatch]:
    """Run a query and yield its rows in batches of some 16 MiB, at least one, of which one may be empty."""
    try:
        cursor.execute(query)
        with cursor.fetch_record_batch() as reader:
            yield pa.RecordBatch.from_pylist([], schema=reader.schema)
            while (batch := _next(reader)) is not None:
                yield batch
    except adbc_driver_manager.Error as error:
        raise Unavailable("database", _reason(error)) from error


def table(cursor: Cursor, query: str) -> pa.Table:
    """Run a query and read all its rows."""
    return pa.Table.from_batches(list(streamed(cursor, query))).replace_schema_metadata(None)


def lend(cursor: Cursor, name: str, rows: pa.Table) -> None:
    """Make a temporary table for queries to join with, in place of an earlier one of this name."""
    run(cursor, f"DROP TABLE IF EXISTS pg_temp.{name}")
    try:
        cursor.adbc_ingest(name, rows, mode="create", temporary=True)
    except TROUBLE as error:
        raise Unavailable("database", _reason(error)) from error


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    """Read on; whatever breaks here is the connection, not a disk that the caller writes to."""
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None
    except TROUBLE as error:
        raise Unavailable("database", _reason(error)) from error


def _bounded(url: str) -> str:
    """Let an address that never answers fail in time."""
    if "connect_timeout=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}connect_timeout={CONNECT_SECONDS}"


def _unconnected(error: Exception) -> str:
    """Say why there is no connection.

    Of a URL that it cannot read, libpq repeats pieces, which may be pieces of the password.
    """
    reason = _reason(error).removeprefix("Failed to connect: ")
    tried = reason.startswith("connection to server")
    return reason if tried else "there is no such host, or the URL is not postgresql://USER@HOST/NAME"


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].removeprefix("IO: ").removeprefix("[libpq] ")
