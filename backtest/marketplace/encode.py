"""From codes to the contract's table: identifiers are written digit by digit, words looked up."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.events import (
    ACTORS,
    DISPUTE_OUTCOMES,
    FAULTS,
    GOODS_TYPES,
    KINDS,
    LINK_TYPES,
    SCHEMA,
    STAGES,
    TIMESTAMP,
)

from .draws import Floats, Ints
from .journal import NIL, Rows
from .shops import CATEGORIES
from .vocabulary import REASONS

BLOCK_NUMBERS: Final = 10_000_000
"""Numbers that a block of buyers has for its events, orders and cases."""
WORDS: Final = (
    "kind", "category_id", "goods_type", "stage", "fault", "outcome", "actor", "reason", "link_type",
    "imputed",
)  # fmt: skip
COMPACT: Final = pa.schema(
    [
        pa.field(f.name, pa.dictionary(pa.int8(), pa.string()), f.nullable) if f.name in WORDS else f
        for f in SCHEMA
    ]
)
"""The contract's columns, with positions in a list in place of the words; casts to ``SCHEMA``."""
_FOUR: Final = np.array([f"{i:04d}".encode() for i in range(10_000)], "S4").view(np.uint32)
_HEX: Final = np.array([f"{i:04x}".encode() for i in range(65_536)], "S4").view(np.uint32)
_GOLDEN: Final = 0x9E3779B97F4A7C15


def encode(rows: Rows, number: Ints, *, start: datetime, seed: int) -> pa.Table:
    """Write events with their ``number`` in the columns of the contract, words as positions in a list."""
    words: dict[str, tuple[NDArray[Any], tuple[str, ...]]] = {
        "kind": (rows.kind, KINDS),
        "category_id": (rows.category, CATEGORIES),
        "goods_type": (rows.goods, GOODS_TYPES),
        "stage": (rows.stage, STAGES),
        "fault": (rows.fault, FAULTS),
        "outcome": (rows.outcome, DISPUTE_OUTCOMES),
        "actor": (rows.actor, ACTORS),
        "reason": (rows.reason, REASONS),
        "link_type": (rows.link_type, LINK_TYPES),
        "imputed": (np.full(len(rows), NIL), ()),
    }
    columns: dict[str, pa.Array] = {name: words_of(code, known) for name, (code, known) in words.items()}
    columns |= {
        "event_id": numbered("e", number),
        "buyer_id": numbered("b", rows.buyer, digits=7),
        "occurred_at": instants(rows.occurred, start),
        "recorded_at": instants(rows.recorded, start),
        "order_id": numbered("o", rows.order),
        "after_sale_id": numbered("a", rows.case),
        "shop_id": numbered("s", rows.shop, digits=7),
        "amount_fen": pa.array(rows.fen, mask=rows.fen < 0),
        "link_value": _hashed(rows.link, seed),
        "line_count": pa.array(rows.lines, mask=rows.lines < 0),
    }
    return pa.table([columns[name] for name in COMPACT.names], schema=COMPACT)


def numbered(prefix: str, number: NDArray[Any], *, digits: int = 11) -> pa.Array:
    """Write ``prefix`` and 7 or 11 digits; a negative number is null."""
    given = number >= 0
    rest = number[given].astype(np.int64)
    parts = []
    while digits > 3:
        digits -= 4
        rest, part = np.divmod(rest, 10_000)
        parts.append(_FOUR[part])
    return _strings([_heads(prefix)[rest], *reversed(parts)], given)


@cache
def _heads(prefix: str) -> NDArray[np.uint32]:
    return np.array([f"{prefix}{i:03d}".encode() for i in range(1_000)], "S4").view(np.uint32)


def instants(seconds: Floats, start: datetime) -> pa.Array:
    """Turn seconds from ``start`` into timestamps; infinite becomes null."""
    finite = np.isfinite(seconds)
    origin = int(pa.scalar(start, TIMESTAMP).value)
    micros = np.floor(np.where(finite, seconds, 0.0) * 1e6).astype(np.int64) + origin
    return pa.array(micros, pa.int64(), mask=~finite).cast(TIMESTAMP)


def words_of(code: NDArray[Any], known: tuple[str, ...]) -> pa.Array:
    """Look words up by their position; a negative one is null."""
    codes = pa.array(code.astype(np.int8), mask=code < 0)
    return pa.DictionaryArray.from_arrays(codes, _list(known))


@cache
def _list(known: tuple[str, ...]) -> pa.Array:
    return pa.array(known, pa.string())


def _hashed(number: Ints, seed: int) -> pa.Array:
    """Write a 64-bit hash of the number in hexadecimal (the splitmix64 finaliser, a bijection)."""
    given = number >= 0
    x = number[given].astype(np.uint64) + np.uint64(seed * _GOLDEN % 2**64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x ^= x >> np.uint64(31)
    parts = [_HEX[(x >> np.uint64(shift)) & np.uint64(0xFFFF)] for shift in (48, 32, 16, 0)]
    return _strings(parts, given)


def _strings(parts: list[NDArray[np.uint32]], given: NDArray[np.bool_]) -> pa.Array:
    """Make strings of four characters per part where they are given, null elsewhere."""
    offsets = np.zeros(len(given) + 1, np.int32)
    np.cumsum(given * np.int32(4 * len(parts)), out=offsets[1:])
    text = np.stack(parts, axis=1)
    buffers = [pa.array(given).buffers()[1], pa.py_buffer(offsets), pa.py_buffer(text)]
    return pa.Array.from_buffers(pa.string(), len(given), buffers)
