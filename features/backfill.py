"""Features kept on disk by day of ``as_of``, so that a new day or a new feature costs only itself.

A store is a folder: one folder a day with Parquet parts, each part some families of features, and a
manifest that says what every part was computed from. A day's rows follow from its pairs, from the events
recorded before its last ``as_of``, and from the families' meaning. What still follows from the same is
not computed again, whatever became of the log's files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .batch import checked_spine
from .catalog import CATALOG
from .compile import Catalog
from .content import fingerprints_before
from .declare import Family, features_of
from .errors import BadInput
from .files import claimed, replacing
from .layout import texts
from .scan import Log, open_log
from .stream import feature_files, write_features

ENGINE: Final = 1
"""Raise it when the kernel's answers change without a declaration changing: stores are then recomputed."""
MANIFEST: Final = "manifest.json"
_DAY: Final = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"

Manifest = dict[str, dict[str, Any]]
"""Day → ``{"inputs": fingerprint, "rows": n, "parts": {file: [family fingerprints]}}``."""


@dataclass(frozen=True, kw_only=True)
class Backfilled:
    """What a run did: days by how they were treated, and how many families were computed for them."""

    kept: tuple[str, ...]
    computed: tuple[str, ...]
    families: int


def backfill(
    path: Path | Log, spine: pa.Table, store: Path, *, catalog: Catalog = CATALOG, memory: int | None = None
) -> Backfilled:
    """Bring a store up to date with the log, the spine and the catalog; compute what is missing.

    An interrupted run loses no finished part; days that the spine no longer has are removed.

    Raises
    ------
    BadInput
        As `features.stream.feature_files`; also when another run holds the store, or it is no store.
    """
    refuse_other_folder(store)
    log = open_log(path)
    with claimed(store, result=store):
        return _backfill(log, spine, store, catalog=catalog, memory=memory)


def refuse_other_folder(store: Path) -> None:
    """Raise `BadInput` for a folder that holds something else: what a store does not know it removes."""
    try:
        strange = [] if (store / MANIFEST).exists() else [f for f in store.glob("*") if f.name[0] != "."]
    except OSError as error:
        raise BadInput(f"{store}: cannot be looked at ({error.strerror or error})") from error
    if strange:
        raise BadInput(
            f"{store}: holds {min(strange).name} and no features by day; name an empty or a new folder"
        )


def stored_days(store: Path, *, catalog: Catalog = CATALOG) -> Iterator[pa.Table]:
    """Yield each day's rows in ``catalog.schema``, days ascending, rows in the spine's order.

    Raises
    ------
    BadInput
        When the store lacks features of the catalog.
    """
    manifest = _read_manifest(store)
    wanted = {mark: [name for name, _ in features_of(f)] for mark, f in _families_by_mark(catalog).items()}
    for day in sorted(manifest):
        file_of = {mark: file for file, marks in manifest[day]["parts"].items() for mark in marks}
        parts = {file: pq.read_table(store / day / file, partitioning=None) for file in {*file_of.values()}}
        columns: dict[str, pa.ChunkedArray] = {}
        for mark, names in wanted.items():
            if mark not in file_of:
                raise BadInput(f"{store}: {day} lacks {names[0]}; run the backfill again")
            columns |= {name: parts[file_of[mark]][name] for name in ("buyer_id", "as_of", *names)}
        yield pa.table({name: columns[name] for name in catalog.schema.names}, schema=catalog.schema)


def write_stored(store: Path, out: Path, *, catalog: Catalog = CATALOG) -> int:
    """Write all days into one Parquet file, whole or not at all, and return the number of rows."""
    with claimed(store, result=store), replacing(out) as temporary:
        write_features(stored_days(store, catalog=catalog), temporary, schema=catalog.schema)
    return sum(day["rows"] for day in _read_manifest(store).values())


def _backfill(log: Log, spine: pa.Table, store: Path, *, catalog: Catalog, memory: int | None) -> Backfilled:
    days = _by_day(checked_spine(spine))
    inputs = _inputs(days, log)
    wanted = _families_by_mark(catalog)
    old, manifest = _read_manifest(store), Manifest()
    for day, rows in days.items():
        before = old.get(day, {})
        parts = _sound(store / day, before, wanted) if before.get("inputs") == inputs[day] else {}
        manifest[day] = {"inputs": inputs[day], "rows": len(rows), "parts": parts}
    missing = {day: _missing(manifest[day], wanted) for day in days}
    _write_manifest(store, manifest)
    for marks in sorted(set(missing.values()) - {()}):
        those = [day for day in days if missing[day] == marks]
        part = Catalog([wanted[m] for m in marks], reasons=catalog.reasons)
        _compute(log, store, {d: days[d] for d in those}, part, memory=memory)
        for day in those:
            manifest[day]["parts"][_file_of(part)] = list(marks)
        _write_manifest(store, manifest)
    _sweep(store, manifest)
    return Backfilled(
        kept=tuple(d for d in days if not missing[d]),
        computed=tuple(d for d in days if missing[d]),
        families=len({mark for marks in missing.values() for mark in marks}),
    )


def _by_day(keys: pa.Table) -> dict[str, pa.Table]:
    """Cut the spine by day (UTC) of ``as_of``, days ascending, the spine's order kept within."""
    number = pc.floor_temporal(keys["as_of"], unit="day").cast(pa.int64()).to_numpy()
    order = np.argsort(number, kind="stable")
    found, start = np.unique(number[order], return_index=True)
    ends = [*start[1:].tolist(), len(order)] if len(found) else []
    return {
        str(np.datetime64(int(day), "us").astype("datetime64[D]")): keys.take(pa.array(order[low:high]))
        for day, low, high in zip(found, start.tolist(), ends, strict=True)
    }


def _inputs(days: Mapping[str, pa.Table], log: Log) -> dict[str, str]:
    """Fingerprint what each day's rows follow from, apart from the features asked for."""
    last = np.array([pc.max(rows["as_of"]).value for rows in days.values()], np.int64)
    known = fingerprints_before(log, last)
    return {day: _input(rows, seen) for (day, rows), seen in zip(days.items(), known, strict=True)}


def _input(rows: pa.Table, known: str) -> str:
    digest = hashlib.sha256(f"engine {ENGINE}\n{known}".encode())
    ends, data = texts(rows["buyer_id"].combine_chunks().cast(pa.large_string()))
    for array in (rows["as_of"].cast(pa.int64()).to_numpy(), ends, data[ends[0] : ends[-1]]):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _families_by_mark(catalog: Catalog) -> dict[str, Family]:
    """Name each family by its meaning alone."""
    return {Catalog((family,), reasons=catalog.reasons).version: family for family in catalog.families}


def _missing(day: Mapping[str, Any], wanted: Mapping[str, Family]) -> tuple[str, ...]:
    have = {mark for marks in day["parts"].values() for mark in marks}
    return tuple(sorted(wanted.keys() - have))


def _sound(folder: Path, day: Mapping[str, Any], wanted: Mapping[str, Family]) -> dict[str, list[str]]:
    """Return the parts that are there whole and hold something of use."""
    sound = {}
    for file, marks in day["parts"].items():
        with suppress(OSError, pa.ArrowException):
            if wanted.keys() & set(marks) and pq.read_metadata(folder / file).num_rows == day["rows"]:
                sound[file] = marks
    return sound


def _compute(
    log: Log, store: Path, days: Mapping[str, pa.Table], part: Catalog, *, memory: int | None
) -> None:
    """Compute many days in one pass over the log, then cut the result into a file a day."""
    pending = store / ".pending.parquet"
    feature_files(log, pa.concat_tables(days.values()), pending, catalog=part, memory=memory)
    try:
        batches = _Cutter(pq.ParquetFile(pending, memory_map=True).iter_batches())
        for day, rows in days.items():
            with replacing(store / day / _file_of(part)) as temporary:
                pq.write_table(batches.take(len(rows), part.schema), temporary, compression="zstd")
    finally:
        pending.unlink()


class _Cutter:
    """Gives a stream of batches out in pieces of other lengths."""

    def __init__(self, source: Iterator[pa.RecordBatch]) -> None:
        self._source = source
        self._left: pa.RecordBatch | None = None

    def take(self, rows: int, schema: pa.Schema) -> pa.Table:
        pieces = []
        while rows:
            batch = self._left if self._left is not None else next(self._source)
            pieces.append(batch.slice(0, rows))
            self._left = batch.slice(rows) if len(batch) > rows else None
            rows -= len(pieces[-1])
        return pa.Table.from_batches(pieces, schema=schema)


def _file_of(part: Catalog) -> str:
    return f"{part.version}.parquet"


def _sweep(store: Path, manifest: Manifest) -> None:
    """Remove what the manifest does not know: days gone from the spine, parts computed from older inputs."""
    for file in store.glob(f"{_DAY}/*.parquet"):
        if file.name not in manifest.get(file.parent.name, {}).get("parts", {}):
            file.unlink()
    for folder in store.glob(_DAY):
        if not any(folder.iterdir()):
            folder.rmdir()


def _read_manifest(store: Path) -> Manifest:
    file = store / MANIFEST
    if not file.exists():
        return {}
    try:
        manifest: Manifest = json.loads(file.read_text())["days"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{file}: is not a manifest of stored features ({error}); remove the folder") from None
    return manifest


def _write_manifest(store: Path, manifest: Manifest) -> None:
    with replacing(store / MANIFEST) as temporary:
        temporary.write_text(json.dumps({"days": manifest}, indent=1, sort_keys=True))
