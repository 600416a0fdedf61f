"""Bring the columns of a foreign event table to the contract's types, value by value and without loss.

A value that cannot be brought over becomes null and its row is marked with a fault. Nothing is guessed:
a time needs its zone, money must be whole fen.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.errors import BadInput
from features.events import REQUIRED_COLUMNS, SCHEMA, TIMESTAMP

_DAY = r"^\d{4}-\d\d-\d\d"
_CLOCK = r"[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?"
_NAIVE = f"{_DAY}({_CLOCK})?$"
_ZONED = f"{_DAY}{_CLOCK}(Z|[+-]\\d\\d(:?\\d\\d)?)$"
_FINE = r"\.\d{6}0*[1-9]"
_WHOLE = r"^[+-]?\d{1,18}(\.0*)?$"
_FRACTION = r"^[+-]?\d*\.\d*[1-9]\d*$"
_EXACT_IN_FLOAT = 2.0**53
# Later or earlier is no date for Python; such times come from a wrong unit.
FIRST_TIME = pa.scalar(datetime.min.replace(tzinfo=UTC), TIMESTAMP)
LAST_TIME = pa.scalar(datetime.max.replace(tzinfo=UTC), TIMESTAMP)

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Column:
    """Values of the contract's type and, by fault, the rows whose value could not be brought over."""

    values: pa.ChunkedArray
    faults: dict[str, Mask]


@dataclass(frozen=True)
class Typed:
    """A table with exactly the contract's columns, and the faults met on the way."""

    table: pa.Table
    faults: dict[str, Mask]


def typed(raw: pa.Table) -> Typed:
    """Convert a table that has the contract's columns in any order and in kindred types.

    Parameters
    ----------
    raw
        Strings may be dictionary-encoded or integers; whole numbers may be floats, decimals or text;
        times may be of any unit and zone, or ISO 8601 text with an offset.

    Returns
    -------
    Typed
        The table in the contract's types (an empty string means null) and one mask per fault met.

    Raises
    ------
    BadInput
        A column is missing, or its type can hold no value of the contract.
    """
    missing = [name for name in REQUIRED_COLUMNS if name not in raw.column_names]
    if missing:
        msg = f"missing columns: {', '.join(missing)}; found: {', '.join(raw.column_names) or 'none'}"
        raise BadInput(msg)
    twice = [name for name in SCHEMA.names if raw.column_names.count(name) > 1]
    if twice:
        raise BadInput(f"columns there more than once: {', '.join(twice)}")
    columns = {field.name: _column(raw, field) for field in SCHEMA}
    faults: dict[str, Mask] = {}
    for column in columns.values():
        for code, mask in column.faults.items():
            if mask.any():
                faults[code] = faults[code] | mask if code in faults else mask
    return Typed(pa.table({name: c.values for name, c in columns.items()}, schema=SCHEMA_OF_ANY), faults)


SCHEMA_OF_ANY = pa.schema([field.with_nullable(True) for field in SCHEMA])
"""The contract's columns and types before it is known that the keys are there."""


def _column(raw: pa.Table, field: pa.Field) -> Column:
    if field.name not in raw.column_names:
        return Column(pa.chunked_array([pa.nulls(raw.num_rows, field.type)]), {})
    column = _plain(raw[field.name])
    if column.null_count == len(column):
        column = pa.chunked_array([pa.nulls(len(column), field.type)])
    if field.type == TIMESTAMP:
        return _times(column, field.name)
    if pa.types.is_integer(field.type):
        return _whole_numbers(column, field)
    return Column(_texts(column, field.name), {})


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Decode dictionaries and turn NaN, pandas' null, into null."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _texts(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if not (_is_text(column.type) or pa.types.is_integer(column.type)):
        raise BadInput(f"column {name} has type {column.type}; it must hold text")
    try:
        texts = column.cast(pa.string())
        texts.validate(full=True)  # Parquet does not look: a database would refuse the bytes in the middle
    except pa.ArrowInvalid:
        raise BadInput(f"column {name} holds text that is not UTF-8") from None
    empty = pc.equal(texts, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), texts) if pc.any(empty).as_py() else texts


def _times(column: pa.ChunkedArray, name: str) -> Column:
    missing = {"missing_time": _mask(pc.is_null(column))}
    if _is_text(column.type):
        values, faults = _times_from_text(column.cast(pa.string()))
        return Column(values, missing | faults)
    if not pa.types.is_timestamp(column.type):
        raise BadInput(f"column {name} has type {column.type}; it must hold timestamps with a zone")
    if column.type.tz is None:
        nothing = pa.chunked_array([pa.nulls(len(column), TIMESTAMP)])
        return Column(nothing, missing | {"naive_time": ~missing["missing_time"]})
    values = column.cast(TIMESTAMP, safe=False)
    inexact = _mask(pc.or_(pc.less(values, FIRST_TIME), pc.greater(values, LAST_TIME)))
    inexact |= _mask(pc.not_equal(values.cast(column.type, safe=False), column))
    return Column(_without(values, inexact), missing | {"inexact_time": inexact})


def _times_from_text(texts: pa.ChunkedArray) -> tuple[pa.ChunkedArray, dict[str, Mask]]:
    naive = _mask(pc.match_substring_regex(texts, _NAIVE))
    zoned = _mask(pc.match_substring_regex(texts, _ZONED))
    inexact = zoned & _mask(pc.match_substring_regex(texts, _FINE))
    parsed = pd.to_datetime(
        _without(texts, ~zoned | inexact).to_pandas(), format="ISO8601", utc=True, errors="coerce"
    )
    values = pa.chunked_array(
        [pa.Array.from_pandas(parsed.dt.tz_convert(None).dt.as_unit("us")).cast(TIMESTAMP)]
    )
    unread = _mask(pc.is_valid(texts)) & ~naive & ~inexact & _mask(pc.is_null(values))
    return values, {"naive_time": naive, "inexact_time": inexact, "unreadable_time": unread}


def _whole_numbers(column: pa.ChunkedArray, field: pa.Field) -> Column:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.string())
    if _is_text(column.type):
        values, fraction = _whole_from_text(column.cast(pa.string()))
    elif pa.types.is_floating(column.type):
        values, fraction = _whole_from_float(column.cast(pa.float64()))
    elif pa.types.is_integer(column.type):
        values, fraction = _fitting(column, pa.int64()), np.zeros(len(column), dtype=bool)
    else:
        raise BadInput(f"column {field.name} has type {column.type}; it must hold whole numbers")
    values = _fitting(values, field.type)
    unread = _mask(pc.is_valid(column)) & ~fraction & _mask(pc.is_null(values))
    return Column(values, {f"fractional_{field.name}": fraction, f"unreadable_{field.name}": unread})


def _whole_from_text(texts: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Mask]:
    whole = _mask(pc.match_substring_regex(texts, _WHOLE))
    digits = pc.replace_substring_regex(_without(texts, ~whole), r"^\+|\.0*$", "")
    return digits.cast(pa.int64()), _mask(pc.match_substring_regex(texts, _FRACTION))


def _whole_from_float(numbers: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Mask]:
    fraction = _mask(pc.and_(pc.is_finite(numbers), pc.not_equal(numbers, pc.floor(numbers))))
    exact = _mask(pc.less(pc.abs(numbers), _EXACT_IN_FLOAT)) & ~fraction
    return _without(numbers, ~exact).cast(pa.int64()), fraction


def _fitting(values: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Make null what a type cannot hold."""
    if values.type == kind:
        return values
    cast = values.cast(kind, safe=False)
    same = _mask(pc.equal(cast.cast(values.type, safe=False), values))
    overflow = _mask(pc.less(cast, 0)) & pa.types.is_unsigned_integer(values.type)
    return _without(cast, ~same | overflow)


def _without(column: pa.ChunkedArray, mask: Mask) -> pa.ChunkedArray:
    return pc.if_else(pa.array(mask), pa.scalar(None, column.type), column) if mask.any() else column


def _mask(flags: pa.ChunkedArray) -> Mask:
    """Turn Arrow booleans into numpy's; null means no."""
    mask: Mask = flags.fill_null(False).to_numpy()
    return mask
