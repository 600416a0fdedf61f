"""Read and write the event log's files: ``DIR/events.parquet``, other Parquet parts, or CSV."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from features.check_report import BadEvents, CheckReport
from features.checks import split
from features.errors import BadInput
from features.events import SCHEMA
from features.files import replacing
from features.parts import EVENTS_FILE, is_csv, parts_of

_COMPRESSION: Final = "zstd"


def is_checked_whole(path: Path) -> bool:
    """Tell whether CSV is among the log's files: `read_log` takes it, `features.scan` does not."""
    return any(is_csv(part) for part in parts_of(path))


def read_log(path: Path) -> pa.Table:
    """Read a log and accept it only as a whole.

    Parameters
    ----------
    path
        A Parquet or CSV file of the event contract, or a folder. In a folder, ``events.parquet`` (a file
        or a folder of parts) is the log; without it, every Parquet and CSV file but ``truth.parquet`` is.

    Returns
    -------
    pyarrow.Table
        Exactly the contract's columns and types, rows in file order (parts by name).

    Raises
    ------
    BadEvents
        Some rows break a rule; the message counts and numbers them.
    BadInput
        Nothing to read, an unreadable file, a missing column.
    """
    report = split_log(path)
    if report.rejected.num_rows:
        raise BadEvents(str(path), report)
    return report.accepted


def split_log(path: Path) -> CheckReport:
    """Read the log at ``path`` as :func:`read_log` does and divide its rows into accepted and rejected.

    Raises
    ------
    BadInput
        Nothing to read, an unreadable file, a missing column.
    """
    raw = _concatenated(path, [_read_file(Path(part)) for part in parts_of(path)])
    try:
        return split(raw)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def write_log(table: pa.Table, directory: Path) -> Path:
    """Write ``DIR/events.parquet`` whole or not at all, replacing an older one.

    Parameters
    ----------
    table
        The contract's columns and types, in any column order.
    """
    target = directory / EVENTS_FILE
    with replacing(target) as temporary:
        write_table(table.select(SCHEMA.names).cast(SCHEMA), temporary, kind=".parquet")
    return target


def write_table(table: pa.Table, path: Path, *, kind: str) -> None:
    """Write Parquet, or CSV when ``kind`` is ``.csv``."""
    if kind == ".csv":
        pacsv.write_csv(table, path)
    else:
        pq.write_table(table, path, compression=_COMPRESSION)


def _read_file(path: Path) -> pa.Table:
    try:
        return read_csv_as_text(path) if path.suffix.lower() == ".csv" else _read_parquet(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({_first_line(error)})") from error


def _read_parquet(path: Path) -> pa.Table:
    table = pq.ParquetFile(path).read()
    plain = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(plain, names=table.column_names)


def read_csv_as_text(path: Path) -> pa.Table:
    """Read every column as text, so that nothing is cast before it is checked."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        names = next(csv.reader(file), [])
    as_text = pacsv.ConvertOptions(
        column_types=dict.fromkeys(names, pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    return pacsv.read_csv(
        path, parse_options=pacsv.ParseOptions(newlines_in_values=True), convert_options=as_text
    )


def _concatenated(path: Path, parts: list[pa.Table]) -> pa.Table:
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except pa.ArrowException as error:
        raise BadInput(f"{path}: its files disagree on a column's type ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
