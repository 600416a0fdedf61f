"""Read the published forms of Online Retail II into one frame of raw lines: xlsx, Parquet or CSV."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from python_calamine import CalamineError, CalamineWorkbook

from features.errors import BadInput
from features.log import read_csv_as_text

_ALIASES: Final[Mapping[str, str]] = {
    "invoice": "invoice",
    "invoiceno": "invoice",
    "stockcode": "stock_code",
    "description": "description",
    "quantity": "quantity",
    "invoicedate": "invoice_date",
    "price": "unit_price",
    "unitprice": "unit_price",
    "customerid": "customer_id",
    "country": "country",
}
"""The columns' names in the published forms, in lower case without blanks and underscores."""

NEEDED: Final = ("invoice", "stock_code", "quantity", "invoice_date", "unit_price", "customer_id")


def read_lines(path: Path) -> pd.DataFrame:
    """Read every line as it stands.

    Returns
    -------
    pandas.DataFrame
        ``sheet`` (0-based), ``sheet_name`` (null unless a workbook), ``row`` (1-based data row of its
        sheet), then the columns of the file under their Parquet names, values untouched.

    Raises
    ------
    BadInput
        No such file, not one of the forms, truncated, or without the columns.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file")
    readers = {".xlsx": _read_xlsx, ".parquet": _read_parquet, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise BadInput(f"{path}: neither .xlsx, .parquet nor .csv")
    try:
        return pd.concat(reader(path), ignore_index=True)
    except (CalamineError, pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def _read_xlsx(path: Path) -> list[pd.DataFrame]:
    book = CalamineWorkbook.from_path(str(path))
    frames = [
        _sheet(number, name, book.get_sheet_by_name(name).to_python(skip_empty_area=False))
        for number, name in enumerate(book.sheet_names)
    ]
    filled = [frame for frame in frames if frame is not None]
    if not filled:
        raise BadInput("every sheet is empty")
    return filled


def _sheet(number: int, name: str, rows: Sequence[Sequence[Any]]) -> pd.DataFrame | None:
    if not rows:
        return None
    header, *body = rows
    where = _positions(header, f"sheet {name!r}: ")
    columns = {column: [None if row[i] == "" else row[i] for row in body] for column, i in where.items()}
    frame = pd.DataFrame({c: pd.Series(values, dtype=object) for c, values in columns.items()})
    frame.insert(0, "row", range(1, len(frame) + 1))
    return _placed(frame[frame[list(where)].notna().any(axis=1)], number, name)


def _read_parquet(path: Path) -> list[pd.DataFrame]:
    return [_from_arrow(pq.ParquetFile(path).read())]


def _read_csv(path: Path) -> list[pd.DataFrame]:
    return [_from_arrow(read_csv_as_text(path))]


def _from_arrow(table: pa.Table) -> pd.DataFrame:
    where = _positions(table.column_names)
    frame = pa.table([table.column(i) for i in where.values()], names=list(where)).to_pandas(
        integer_object_nulls=True
    )
    frame.insert(0, "row", range(1, len(frame) + 1))
    return _placed(frame, 0, None)


def _placed(frame: pd.DataFrame, number: int, name: str | None) -> pd.DataFrame:
    frame.insert(0, "sheet", number)
    frame.insert(1, "sheet_name", pd.Series(name, index=frame.index, dtype="str"))
    return frame


def _positions(header: Iterable[Any], where: str = "") -> dict[str, int]:
    """Find the known columns by name, however they are spelled."""
    found: dict[str, int] = {}
    names = [str(name) for name in header]
    for i, name in enumerate(names):
        column = _ALIASES.get(re.sub(r"[\s_]", "", name).lower())
        if column is not None:
            found.setdefault(column, i)
    missing = [column for column in NEEDED if column not in found]
    if missing:
        raise BadInput(f"{where}missing columns: {', '.join(missing)}; found: {', '.join(names) or 'none'}")
    return found
