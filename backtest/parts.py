"""What a replay writes: decisions and moves of standings, a file a month, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from decisions.standing_events import as_event
from features.events import TIMESTAMP
from features.files import replacing
from models.deciding.row import DecisionRow

from .instants import time_column
from .nights import Moves

_TYPES: Final = {
    "int": pa.int64(),
    "float": pa.float64(),
    "bytes": pa.binary(),
    "datetime": TIMESTAMP,
    "str": pa.string(),
}
_LEFT_OUT: Final = ("request_digest", "vector")
"""What HTTP alone knows, and what is the same under all policies: it is in the run's features."""
NAMES: Final = tuple(f.name for f in fields(DecisionRow) if f.name not in _LEFT_OUT)
DECISIONS: Final = pa.schema([(f.name, _TYPES[str(f.type)]) for f in fields(DecisionRow) if f.name in NAMES])
"""The columns of the service's decisions, in the order in which the requests came."""
MOVES: Final = pa.schema(
    [
        ("buyer_id", pa.string()),
        ("version", pa.int64()),
        ("at", TIMESTAMP),
        ("from_state", pa.string()),
        ("to_state", pa.string()),
        ("rule", pa.string()),
        ("event", pa.binary()),
    ]
)
"""Every change of a standing; ``event`` is the service's."""
_FEW: Final = [
    *("outcome", "tier", "standing", "model_version", "catalog_version", "policy_version", "shop_id"),
    *("from_state", "to_state", "rule"),
]
"""Columns of few words: to look for repetitions in the others takes longer than to write them."""
_ASKED_FOR: Final = [field.name for field in (*DECISIONS, *MOVES) if field.type != pa.binary()]
"""Columns whose least and greatest value a reader may look for: of JSON they say nothing."""
END: Final = "end"
"""The month's name of what the last sweep moves."""
_values: Final = attrgetter(*NAMES)
_encode: Final = msgspec.json.Encoder().encode


def as_table(rows: Sequence[DecisionRow]) -> pa.Table:
    """Lay decisions out as columns (`DECISIONS`), which take a fraction of the memory."""
    return _table(map(_values, rows), DECISIONS)


def write_part(folder: Path, month: str, decisions: pa.Table, made: Moves) -> None:
    """Write one month of one policy; however the decisions came in pieces, the file has the same bytes."""
    _write(decisions.combine_chunks(), folder / "decisions" / _name(month))
    write_moves(folder, month, made)


def write_moves(folder: Path, month: str, made: Moves) -> None:
    """Write the moves of standings of one month."""
    plain = [(b, t.version, t.at, t.from_state, t.to_state, t.rule, _encode(as_event(t))) for b, t in made]
    _write(_table(plain, MOVES), folder / "standings" / _name(month))


def _table(rows: Iterable[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [
        time_column(column) if field.type == TIMESTAMP else pa.array(column, field.type)
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def read_decisions(folder: Path, months: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Read columns of the decisions of some months, in the order of the requests."""
    return _read(folder / "decisions", months, columns, DECISIONS)


def read_moves(folder: Path, months: Sequence[str], columns: Sequence[str]) -> pa.Table:
    """Read columns of the moves of some months and of the end."""
    return _read(folder / "standings", [*months, END], columns, MOVES)


def months_in(folder: Path) -> list[str]:
    """Name the months of which there are decisions."""
    return sorted(path.stem.removeprefix("part-") for path in (folder / "decisions").glob("part-*.parquet"))


def _read(folder: Path, months: Sequence[str], columns: Sequence[str], schema: pa.Schema) -> pa.Table:
    parts = list(_parts(folder, months, columns))
    wanted = pa.schema([schema.field(name) for name in columns])
    return pa.concat_tables(parts) if parts else wanted.empty_table()


def _parts(folder: Path, months: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
    for month in months:
        with pq.ParquetFile(folder / _name(month)) as file:
            yield file.read(columns=list(columns)).select(list(columns))


def _name(month: str) -> str:
    return f"part-{month}.parquet"


def _write(table: pa.Table, path: Path) -> None:
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", use_dictionary=_FEW, write_statistics=_ASKED_FOR)
