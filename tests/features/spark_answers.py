"""Logs for the Spark tests, and the comparison of what two engines answered, bit by bit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from backtest.marketplace.config import MarketConfig
from backtest.marketplace.market import simulate
from features.events import SCHEMA, TIMESTAMP
from tests.features.streams import INSTANTS, dense_stream, sound, table

AS_OF = datetime(2025, 9, 1, tzinfo=UTC)


def market() -> pa.Table:
    """Simulate a sound log whose accounts share devices, addresses and payers."""
    return simulate(MarketConfig(buyers=400, days=150, abuse_rate=0.05, seed=5)).events


def meshed() -> tuple[pa.Table, pa.Table]:
    """Give a log in which hundreds of accounts meet on few links, often at one instant, and a spine."""
    rows = []
    for seed in range(60):
        for event in sound(dense_stream(seed)):
            own = {"buyer_id": f"{event['buyer_id']}{seed}", "event_id": f"{event['event_id']}-{seed}"}
            rows.append(event | own | {"link_value": f"{event['link_value']}{seed // 30}"})
    pick = Random(7)
    buyers = [*sorted({row["buyer_id"] for row in rows}), "nobody"]
    asks = [
        (pick.choice(buyers), pick.choice(INSTANTS) + timedelta(days=pick.choice((0, 90, 400))))
        for _ in range(900)
    ]
    ids, when = zip(*asks, strict=True)
    return table(rows), pa.table({"buyer_id": list(ids), "as_of": pa.array(when, TIMESTAMP)})


def in_parts(events: pa.Table, folder: Path) -> Path:
    """Write a log as jobs do: by month, one part empty, words as dictionaries or not, columns left out."""
    for number, month in enumerate(sorted({when.month for when in events["recorded_at"].to_pylist()})):
        mine = pa.array([when.month == month for when in events["recorded_at"].to_pylist()])
        part = events.filter(mine)
        target = folder / "events.parquet" / f"month={month}"
        target.mkdir(parents=True)
        if number % 2:
            part = as_dictionaries(part.drop_columns(["imputed"]))
        pq.write_table(part, target / "part-0.parquet")
    (folder / "events.parquet" / "month=13").mkdir()
    pq.write_table(SCHEMA.empty_table(), folder / "events.parquet" / "month=13" / "part-0.parquet")
    return folder


def as_dictionaries(part: pa.Table) -> pa.Table:
    words = pa.dictionary(pa.int32(), pa.string())
    kinds = [pa.field(f.name, words if f.type == pa.string() else f.type) for f in part.schema]
    return part.cast(pa.schema(kinds))


def spine_in_parts(spine: pa.Table, folder: Path) -> Path:
    """Write a spine in folders by shard, in three parts."""
    for shard in range(3):
        (folder / f"shard={shard}").mkdir(parents=True)
        size = -(-len(spine) // 3)
        pq.write_table(spine.slice(shard * size, size), folder / f"shard={shard}" / "part.parquet")
    return folder


def read_parts(folder: Path) -> pa.Table:
    parts = sorted(folder.glob("part-*.parquet"))
    return pa.concat_tables([pq.ParquetFile(part).read() for part in parts])


def assert_same_bytes(found: pa.Table, wanted: pa.Table) -> None:
    """Compare two feature tables whose rows may stand in any order."""
    assert found.schema.equals(wanted.schema)
    keys = [("buyer_id", "ascending"), ("as_of", "ascending")]
    found, wanted = found.sort_by(keys), wanted.sort_by(keys)
    assert len(found) == len(wanted) > 0
    for name in wanted.column_names:
        if wanted.schema.field(name).type == pa.float64():
            same = np.array_equal(_bits(found[name]), _bits(wanted[name]))
        else:
            same = found[name].equals(wanted[name])
        assert same, name


def _bits(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_numpy(), np.float64).view(np.int64)
