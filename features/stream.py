"""Features of a log on disk within a stated memory: buyers are computed group by group."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .batch import checked_spine, evaluate_rows, laid_out, spine_of
from .catalog import CATALOG
from .census import Census, take_census
from .compile import Catalog
from .errors import BadInput
from .files import claimed, replacing
from .layout import Layout, Overflow
from .matching import EVENT, Ints
from .needs import Needs, needs_of
from .scan import Log, batches, open_log

MIB: Final = 1 << 20
RESERVED: Final = 640 * MIB
"""What the interpreter, the libraries and the batches in flight take, whatever the log's size."""
LEAST_MEMORY: Final = 1024 * MIB
BLOCK_ROWS: Final = 1 << 16
_BYTES_PER_ROW: Final = 4
_CENSUS_BYTES_PER_ROW: Final = 24
"""A row's buyer and the hash of its id, and its share of the words that are numbered."""
_BYTES_PER_TIE: Final = 48
_BYTES_PER_REF: Final = 40
_BYTES_PER_ASK: Final = 64

OnGroup = Callable[[int, int], None]
Asked: TypeAlias = pa.Table | datetime


@dataclass(frozen=True)
class Job:
    """One computation: which log, which pairs, which features, in which groups of buyers."""

    log: Log
    census: Census
    keys: pa.Table
    buyer: Ints
    as_of: Ints
    catalog: Catalog
    groups: tuple[tuple[int, int], ...]


def _silent(_done: int, _of: int) -> None:
    return


def feature_table_of(
    path: Path | Log, spine: Asked, *, catalog: Catalog = CATALOG, memory: int | None = None
) -> pa.Table:
    """Compute the features of a Parquet log in memory; like `features.batch.feature_table`, but faster.

    Parameters
    ----------
    path : Path or Log
        A Parquet file or folder of the event contract, rows and files in any order; or a log from
        elsewhere, see `features.scan.log_of`.
    spine : pa.Table or datetime
        Columns ``buyer_id`` and ``as_of``; an instant asks for every buyer of the log, by id.
    catalog : Catalog
    memory : int, optional
        Bytes that the process may take for the histories; the table itself must fit beside them.

    Returns
    -------
    pa.Table
        ``catalog.schema``, the rows in the spine's order.

    Raises
    ------
    BadInput
        When log or spine cannot be used as they are.
    """
    job = plan_job(path, spine, catalog=catalog, memory=memory)
    if len(job.groups) == 1:
        return laid_out(job.keys, compute_group(job, 0), catalog=catalog)
    values = np.empty((len(job.keys), catalog.n_features))
    for g in range(len(job.groups)):
        values[rows_in_group(job, g)] = compute_group(job, g)
    return laid_out(job.keys, values, catalog=catalog)


def feature_files(
    path: Path | Log,
    spine: Asked,
    out: Path,
    *,
    catalog: Catalog = CATALOG,
    memory: int | None = None,
    on_group: OnGroup = _silent,
) -> int:
    """Compute the features of a Parquet log into a Parquet file, within the memory given.

    Groups that are done are kept beside ``out`` until the file is whole: an interrupted run that is
    started again with the same log, spine, catalog and memory goes on where it stopped. Each group reads
    the log again. Two such runs to the same ``out`` do not meet: the second is refused.

    Parameters
    ----------
    path, spine, catalog
        As in `feature_table_of`.
    out : Path
        Rows in the spine's order; replaced as a whole or not at all.
    memory : int, optional
        Bytes that the process may take, at least 1 GiB; None takes what one pass over the log needs.
    on_group : callable
        Told (groups done, groups in all).

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    BadInput
        When log or spine cannot be used as they are, or ``out`` cannot be written.
    """
    job = plan_job(path, spine, catalog=catalog, memory=memory)
    if len(job.groups) == 1:
        with replacing(out) as temporary:
            write_features(_tables(job, _InMemory(job)), temporary, schema=catalog.schema)
        return len(job.keys)
    work = out.with_name(f".{out.name}.work")
    with claimed(work, result=out), replacing(out) as temporary:
        try:
            parts = _GroupFiles(work, job, on_group)
            write_features(_tables(job, parts), temporary, schema=catalog.schema)
        except (OSError, BadInput):  # what ends a run in the middle is no fault of the input, and is resumed
            shutil.rmtree(work, ignore_errors=True)
            raise
    shutil.rmtree(work, ignore_errors=True)
    return len(job.keys)


def plan_job(path: Path | Log, spine: Asked, *, catalog: Catalog, memory: int | None) -> Job:
    """Check the input, take the census and cut the buyers into groups that fit."""
    asked = spine if isinstance(spine, datetime) else checked_spine(spine)
    log, needs = open_log(path), needs_of(catalog.plan)
    least = least_memory(log.rows)
    if memory is not None and memory < least:
        raise BadInput(f"{memory / MIB:,.0f} MiB of memory are too few; give at least {least // MIB} MiB")
    census = take_census(log, needs=needs)
    give_back()
    keys = spine_of(census.buyer_ids.sort(), asked) if isinstance(asked, datetime) else asked
    index = pc.index_in(keys["buyer_id"], value_set=census.buyer_ids)
    buyer = pc.fill_null(index, len(census.buyer_ids)).to_numpy().astype(np.int64)
    as_of = keys["as_of"].cast(pa.int64()).to_numpy()
    asks = np.bincount(buyer, minlength=len(census.buyer_ids) + 1)
    cost = census.counts * _bytes_per_event(needs)
    cost += asks[:-1] * (8 * catalog.n_features + _BYTES_PER_ASK)
    fixed = RESERVED + log.rows * _BYTES_PER_ROW + len(keys) * _BYTES_PER_ASK + 40 * len(census.buyer_ids)
    room = None if memory is None else memory - fixed
    return Job(log, census, keys, buyer, as_of, catalog, _groups(cost, room))


def least_memory(rows: int) -> int:
    """Give the bytes that the process needs at least for a log of so many rows."""
    return max(LEAST_MEMORY, RESERVED + rows * _CENSUS_BYTES_PER_ROW)


def compute_group(job: Job, group: int) -> npt.NDArray[np.float64]:
    """Return the feature rows of one group of buyers, in the spine's order."""
    low, high = job.groups[group]
    offsets, events = _histories(job, low, high)
    give_back()
    rows = rows_in_group(job, group)
    return evaluate_rows(offsets, events, job.buyer[rows] - low, job.as_of[rows], catalog=job.catalog)


def rows_in_group(job: Job, group: int) -> npt.NDArray[np.intp]:
    """Return the spine's rows that ask for a group's buyers; the last group has the unknown ones too."""
    low, high = job.groups[group]
    last = group == len(job.groups) - 1
    return np.flatnonzero((job.buyer >= low) & ((job.buyer < high) | last))


def _histories(job: Job, low: int, high: int) -> tuple[Ints, npt.NDArray[np.void]]:
    needs, census = needs_of(job.catalog.plan), job.census
    layout = Layout(census.counts[low:high], needs=needs)
    everyone = low == 0 and high == len(census.buyer_ids)
    at = 0
    for batch in batches(job.log, _columns(needs)):
        codes = census.codes[at : at + len(batch)]
        at += len(batch)
        if not everyone:
            ours = (codes >= low) & (codes < high)
            batch, codes = batch.filter(pa.array(ours)), codes[ours] - np.int32(low)
        layout.add(dict(zip(batch.schema.names, batch.columns, strict=True)), codes)
    ours = (census.peer_codes >= low) & (census.peer_codes < high)
    if ours.any():
        peers = census.peers.filter(pa.array(ours))
        layout.add(
            dict(zip(peers.column_names, peers.columns, strict=True)), census.peer_codes[ours] - np.int32(low)
        )
    try:
        return layout.finish()
    except Overflow as found:
        raise found.named(census.buyer_ids[low + found.buyer].as_py()) from None


def give_back() -> None:
    """Return freed memory to the system: two allocators keep it otherwise, and the peak is promised."""
    pa.default_memory_pool().release_unused()
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _columns(needs: Needs) -> list[str]:
    ties = ("event_id", "occurred_at") if needs.ties else ()
    return ["kind", "recorded_at", *ties, *sorted(needs.columns)]


def _bytes_per_event(needs: Needs) -> int:
    refs = len({"order_id", "shop_id", "category_id"} & needs.columns)
    return EVENT.itemsize + needs.ties * _BYTES_PER_TIE + (refs > 0) * _BYTES_PER_REF


def _groups(cost: Ints, room: int | None) -> tuple[tuple[int, int], ...]:
    """Cut the buyers into ranges of about equal cost, as few as fit into the room."""
    total = int(cost.sum())
    if room is None or total <= room:
        return ((0, len(cost)),)
    if room <= int(cost.max()):
        raise BadInput("one buyer's history alone does not fit into the memory given; give more")
    count = -(-total // (room - int(cost.max())))
    cuts = np.searchsorted(np.cumsum(cost), total * np.arange(1, count) // count).tolist()
    edges = sorted({0, *cuts, len(cost)})
    return tuple(pairwise(edges))


class _InMemory:
    """The only group, not written anywhere before the end."""

    def __init__(self, job: Job) -> None:
        self._values = compute_group(job, 0)

    def block(self, low: int, high: int) -> npt.NDArray[np.float64]:
        return self._values[low:high]


class _GroupFiles:
    """Each group's rows in a file of their own, so that a finished group is never computed again."""

    def __init__(self, folder: Path, job: Job, on_group: OnGroup) -> None:
        self._job = job
        self._rows = [rows_in_group(job, g) for g in range(len(job.groups))]
        self._files = [folder / f"{_fingerprint(job)}-{low}-{high}.f8" for low, high in job.groups]
        for stranger in {*folder.glob("*.f8"), *folder.glob("*.part")} - set(self._files):
            stranger.unlink()
        for group, file in enumerate(self._files):
            self._compute(group, file)
            on_group(group + 1, len(self._files))

    def _compute(self, group: int, file: Path) -> None:
        if not file.exists():
            unfinished = file.with_suffix(".part")
            with unfinished.open("wb") as opened:
                opened.write(compute_group(self._job, group).data)
            unfinished.replace(file)

    def block(self, low: int, high: int) -> npt.NDArray[np.float64]:
        width = self._job.catalog.n_features
        block = np.empty((high - low, width))
        for rows, file in zip(self._rows, self._files, strict=True):
            start, end = np.searchsorted(rows, (low, high)).tolist()
            read = np.fromfile(file, np.float64, (end - start) * width, offset=start * width * 8)
            block[rows[start:end] - low] = read.reshape(-1, width)
        return block


def write_features(tables: Iterable[pa.Table], target: Path, *, schema: pa.Schema) -> None:
    """Write tables of features one after the other into one Parquet file."""
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table)


def _tables(job: Job, parts: _InMemory | _GroupFiles) -> Iterator[pa.Table]:
    for low, high in _blocks(len(job.keys)):
        yield laid_out(job.keys.slice(low, high - low), parts.block(low, high), catalog=job.catalog)


def _blocks(rows: int) -> Iterator[tuple[int, int]]:
    for low in range(0, rows, BLOCK_ROWS):
        yield low, min(low + BLOCK_ROWS, rows)


def _fingerprint(job: Job) -> str:
    """Name what a group's rows follow from: the log's files, the spine and the features' meaning."""
    digest = hashlib.sha256(job.catalog.version.encode() + repr(job.catalog.names).encode())
    for file in job.log.infos():
        digest.update(f"{file.path} {file.size} {file.mtime_ns}\n".encode())
    digest.update(job.as_of.tobytes() + job.buyer.tobytes())
    return digest.hexdigest()[:24]
