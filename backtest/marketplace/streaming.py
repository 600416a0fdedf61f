"""A market too large for memory: blocks of buyers go to disk, the log comes back period by period.

Each block is written once, in the order in which its events became known, cut at the periods' edges; then
every period is read from all blocks and put in order. Memory holds one block or one period; the disk holds
the codes of all events, about 75 bytes each, until the log is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .config import MarketConfig
from .draws import DAY, HOUR, Floats, Ints
from .encode import COMPACT, WORDS, encode
from .journal import Rows
from .market import Part, make_part
from .truth import TRUTH_SCHEMA, truth_of
from .world import make_world

BUYER_DAYS: Final = 4_000_000
"""A period has at most this many days of buyers' lives, on average a tenth as many events."""
ROW_GROUP: Final = 262_144
"""Most rows in a row group of the log."""
REPEATED: Final = [*WORDS, "shop_id", "line_count"]
"""Columns that gain by a dictionary; only the times, by which the log is sorted, gain by statistics."""


def write_market(
    config: MarketConfig, *, events: Path, truth: Path, scratch: Path, progress: Callable[[float], None]
) -> int:
    """Write what ``simulate`` returns, in memory bounded by one block of buyers and one period.

    Parameters
    ----------
    events, truth
        Parquet files to write; the log's row groups follow each other in time.
    scratch
        A folder for the blocks; files of the same name in it are written over.
    progress
        Is told the share that is done, 0 to 1.

    Returns
    -------
    int
        Number of events.
    """
    edges, world, written = _edges(config), make_world(config), 0
    blocks = [scratch / f"{block}.arrow" for block in range(config.blocks)]
    with pq.ParquetWriter(truth, TRUTH_SCHEMA, compression="zstd") as file:
        for block, path in enumerate(blocks):
            part = make_part(config, world, block)
            file.write_table(truth_of(config, part.people))
            _spill(part, edges, path)
            progress(0.5 * (block + 1) / len(blocks))
    with _log_writer(events) as file:
        for period in range(len(edges) - 1):
            for table in _period(config, blocks, period):
                file.write_table(table)
                written += len(table)
            progress(0.5 + 0.5 * (period + 1) / (len(edges) - 1))
    return written


def _log_writer(path: Path) -> pq.ParquetWriter:
    return pq.ParquetWriter(
        path,
        COMPACT,
        store_schema=False,  # so that words come back as the contract's strings
        compression="zstd",
        use_dictionary=REPEATED,
        write_statistics=["occurred_at", "recorded_at"],
    )


def _edges(config: MarketConfig) -> Floats:
    hours = max(24 * BUYER_DAYS // config.buyers, 1)
    return np.append(np.arange(0.0, config.days * DAY, hours * HOUR), np.inf)


def _spill(part: Part, edges: Floats, path: Path) -> None:
    batch = pa.record_batch({**vars(part.events), "number": part.number})
    cuts = np.searchsorted(part.events.recorded, edges)
    with pa.ipc.new_file(path, batch.schema) as file:
        for low, high in pairwise(cuts.tolist()):
            file.write_batch(batch.slice(low, high - low))


def _period(config: MarketConfig, blocks: list[Path], period: int) -> Iterator[pa.Table]:
    rows, number = _gathered(blocks, period)
    for low in range(0, len(rows), ROW_GROUP):
        part = slice(low, low + ROW_GROUP)
        yield encode(rows.pick(part), number[part], start=config.start, seed=config.seed)


def _gathered(blocks: list[Path], period: int) -> tuple[Rows, Ints]:
    batches = [pa.ipc.open_file(pa.OSFile(str(path))).get_batch(period) for path in blocks]

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([batch[name].to_numpy() for batch in batches])

    # Blocks come by number, so a stable sort leaves what became known in one instant in that order.
    by_time = np.argsort(column("recorded"), kind="stable")
    columns = {name: column(name)[by_time] for name in batches[0].schema.names}
    number = columns.pop("number")
    return Rows(**columns), number
