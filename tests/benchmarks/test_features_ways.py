"""The ways that the benchmark measures answer the same question."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.features_columns import PLAIN
from benchmarks.features_data import make
from benchmarks.features_ways import WAYS


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    make(folder, events=4_000)
    return folder


@pytest.mark.parametrize("way", ["numpy", "polars", "duckdb-asof", "duckdb-range", "pandas"])
def test_every_way_to_the_plain_columns_gives_the_same_numbers(log: Path, way: str) -> None:
    ours, _ = WAYS["ours"](log)
    theirs, _ = WAYS[way](log)
    assert sorted(ours) == sorted(PLAIN.names)
    assert len(ours) == 69
    assert all(np.array_equal(ours[name], theirs[name], equal_nan=True) for name in PLAIN.names)
