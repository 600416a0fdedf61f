"""One cell of the comparison: a method's answers on one trial, kept under a key of what they follow from."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.quality_data import Trial
from training.evaluate import Floats

FOLDER: Final = Path("build/bench/quality/cells")

Answer = tuple[Floats, Mapping[str, Any]]
"""Scores of the rows to judge on, and notes on how they came about."""


@dataclass(frozen=True)
class Cell:
    """What a method answered, and what it took."""

    p: Floats
    seconds: float
    cpu_seconds: float
    notes: Mapping[str, Any]


def rows_hash(trial: Trial, columns: Sequence[str]) -> str:
    """Hash the rows that a method reads: its columns, labels, buyers and instants."""
    digest = hashlib.sha256(json.dumps([trial.dataset, *columns]).encode())
    for rows in (trial.train, trial.test):
        for name in columns:
            digest.update(np.ascontiguousarray(rows.X[name].to_numpy(dtype=np.float64)).tobytes())
        for values in (rows.y, rows.buyer, rows.as_of):
            digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def cell_key(method: str, *, rows: str, settings: Mapping[str, Any]) -> str:
    """Name a cell: another method, row or setting, another name."""
    said = json.dumps([method, rows, settings], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def cell_path(trial: Trial, method: str, key: str) -> Path:
    """Where a cell is kept, readable to a person."""
    return FOLDER / trial.dataset / f"{trial.snapshots[0]}-{method}-{key}.npz"


def kept(path: Path) -> Cell | None:
    """Read a cell; none if it was never finished."""
    if not path.exists():
        return None
    with np.load(path) as found:
        return Cell(found["p"], **json.loads(str(found["said"])))


def computed(path: Path, answer: Callable[[], Answer]) -> Cell:
    """Take a cell from its file, or work it out and keep it whole or not at all."""
    if found := kept(path):
        return found
    began, worked = time.perf_counter(), time.process_time()
    p, notes = answer()
    said = {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time() - worked, 2),
        "notes": dict(notes),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    with draft.open("wb") as file:
        np.savez(file, p=p, said=json.dumps(said))
    draft.replace(path)
    return Cell(p, **said)
