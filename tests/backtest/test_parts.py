from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from backtest.parts import DECISIONS, write_part
from features.events import TIMESTAMP


def test_a_month_has_the_same_bytes_however_its_decisions_came_in_pieces(tmp_path: Path) -> None:
    """More than a page of Parquet: where pages end would follow the pieces."""
    n = 2_000
    values = {
        pa.string(): pa.array([f"{row % 97}" for row in range(n)]),
        pa.int64(): pa.array(range(n)),
        pa.float64(): pa.array([row / 7 for row in range(n)]),
        TIMESTAMP: pa.array(range(n), pa.int64()).cast(TIMESTAMP),
        pa.binary(): pa.array([b"%d" % row * 400 for row in range(n)]),
    }
    whole = pa.table([values[f.type] for f in DECISIONS], schema=DECISIONS)
    pieces = pa.concat_tables([whole.slice(at, 256) for at in range(0, n, 256)])
    for name, table in (("whole", whole), ("pieces", pieces)):
        write_part(tmp_path / name, "2026-01", table, [])
    one, other = (tmp_path / name / "decisions" / "part-2026-01.parquet" for name in ("whole", "pieces"))
    assert one.read_bytes() == other.read_bytes()
