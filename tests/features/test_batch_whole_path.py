"""From Parquet files to a file of features through the command, against the definition."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from buyer_tier.cli import app
from features import stream
from features.catalog import CATALOG
from features.events import SCHEMA, TIMESTAMP
from tests.features.oracle import features_at
from tests.features.streams import BASE, INSTANTS, dense_stream, sound, table

CIRCLES = 4


def many(seed: int) -> list[dict[str, Any]]:
    """Give a few hundred events of buyers who share links in circles, in no order."""
    rows = []
    for circle in range(CIRCLES):
        for e in sound(dense_stream(seed * 100 + circle, size=75)):
            names = {"buyer_id": f"{e['buyer_id']} 买家 {circle}", "event_id": f"{circle}/{e['event_id']}"}
            rows.append({**e, **names, "link_value": f"{e['link_value']}{circle}"})
    Random(seed).shuffle(rows)
    return rows


def laid_out_oddly(rows: list[dict[str, Any]], folder: Path, pick: Random) -> None:
    """Write files of other encodings, units, column orders, sizes and compressions, in folders."""
    start = 0
    for number in range(6):
        size = pick.choice((0, 1, 37, 90)) if number < 5 else len(rows)
        part, start = table(rows[start : start + size]), start + size
        for name in SCHEMA.names:
            at = part.column_names.index(name)
            part = part.set_column(at, name, _other(part[name], pick))
        part = part.select(pick.sample(part.column_names, len(part.column_names)))
        file = folder / f"day={pick.randrange(3)}" / f"part-{number}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            part, file, row_group_size=pick.choice((5, 1000)), use_dictionary=pick.choice((True, False))
        )


def _other(column: pa.ChunkedArray, pick: Random) -> pa.ChunkedArray:
    if column.type == TIMESTAMP:
        return column.cast(pa.timestamp(pick.choice(("us", "ns")), pick.choice(("UTC", "Asia/Shanghai"))))
    if column.type != pa.string():
        return column
    kind = pick.choice(("plain", "dictionary", "large", "large dictionary"))
    column = column.cast(pa.large_string()) if "large" in kind else column
    return column.dictionary_encode() if "dictionary" in kind else column


def ask(folder: Path, *options: str) -> pa.Table:
    out = folder / "out.parquet"
    command = ["features", "--events", str(folder / "log"), "--out", str(out), *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return pq.read_table(out)


def assert_defined(found: pa.Table, rows: list[dict[str, Any]], asked: list[tuple[str, datetime]]) -> None:
    assert found.select(["buyer_id", "as_of"]).to_pylist() == [{"buyer_id": b, "as_of": t} for b, t in asked]
    matrix = np.column_stack([found[name].to_numpy() for name in CATALOG.names])
    for got, (buyer, as_of) in zip(matrix, asked, strict=True):
        circle = [e for e in rows if e["buyer_id"].endswith(buyer[-1])]
        wanted = np.array(features_at(circle, buyer, as_of, CATALOG.families), np.float64)
        wrong = np.flatnonzero(~((got == wanted) | (np.isnan(got) & np.isnan(wanted))))
        assert not len(wrong), [(buyer, as_of, CATALOG.names[i], got[i], wanted[i]) for i in wrong]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("options", [(), ("--memory", "1GiB"), ("--store", "store")])
def test_chosen_pairs_of_an_odd_log_are_what_the_definition_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    pick, rows = Random(seed), many(seed)
    laid_out_oddly(rows, tmp_path / "log", pick)
    buyers = sorted({e["buyer_id"] for e in rows})
    edges = [
        e["recorded_at"] + timedelta(days=d, microseconds=u)
        for e in rows
        for d in (0, 7, 365)
        for u in (0, 1)
    ]
    asked = [(pick.choice((*buyers, "nobody 0")), pick.choice((*edges, *INSTANTS))) for _ in range(40)]
    if "--store" in options:
        asked.sort(key=lambda pair: pair[1].date())
    cut = stream._groups
    monkeypatch.setattr(
        stream, "_groups", lambda cost, room: cut(cost, room and int(cost.sum() // 3 + cost.max()))
    )
    spine = {"buyer_id": [b for b, _ in asked], "as_of": pa.array([t for _, t in asked], TIMESTAMP)}
    pq.write_table(pa.table(spine), tmp_path / "spine.parquet")
    assert_defined(ask(tmp_path, "--spine", "spine.parquet", *options), rows, asked)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_every_buyer_of_an_odd_log_is_what_the_definition_says(tmp_path: Path, seed: int) -> None:
    rows, when = many(seed), BASE + timedelta(days=90, microseconds=1)
    laid_out_oddly(rows, tmp_path / "log", Random(seed))
    asked = [(buyer, when) for buyer in sorted({e["buyer_id"] for e in rows})]
    assert_defined(ask(tmp_path, "--as-of", when.isoformat()), rows, asked)
