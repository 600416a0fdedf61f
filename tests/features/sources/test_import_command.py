from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from buyer_tier.commands.import_ import app
from features.errors import BadInput
from features.log import read_log
from tests.features.log_rows import event, table
from tests.features.sources.test_online_retail_ii import PARQUET, line


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "log.parquet"
    path.parent.mkdir()
    pq.write_table(table(event("a"), event("b", amount_fen=-1), event("c", kind="eaten")), path)
    return path


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_file_with_bad_rows_is_refused_and_nothing_is_written(mixed: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refusal:
        run("events", mixed, "--out", tmp_path / "out")

    assert "2 of 3 rows refused: 1 unknown_kind (row 3); 1 negative_amount_fen (row 2)" in str(refusal.value)
    assert "--rejects" in str(refusal.value)
    assert files(tmp_path) == ["in/log.parquet"]


@pytest.mark.parametrize("name", ["refused.csv", "refused.parquet"])
def test_with_rejects_the_sound_rows_are_written_and_the_others_set_aside(
    name: str, mixed: Path, tmp_path: Path
) -> None:
    rejects = tmp_path / "rejects" / name
    figures = json.loads(run("events", mixed, "--out", tmp_path / "out", "--rejects", rejects, "--json"))

    assert (figures["read"], figures["accepted"], figures["rejected"]) == (3, 1, 2)
    assert figures["rejected_by_rule"] == {"unknown_kind": 1, "negative_amount_fen": 1}
    assert figures["first_rows"] == {"unknown_kind": [3], "negative_amount_fen": [2]}
    assert read_log(tmp_path / "out")["event_id"].to_pylist() == ["a"]
    refused = pacsv.read_csv(rejects) if name.endswith("csv") else pq.read_table(rejects)
    assert refused.select(["row", "rule", "event_id"]).to_pylist() == [
        {"row": 2, "rule": "negative_amount_fen", "event_id": "b"},
        {"row": 3, "rule": "unknown_kind", "event_id": "c"},
    ]
    assert files(tmp_path) == ["in/log.parquet", "out/events.parquet", f"rejects/{name}"]


def test_rejects_can_be_imported_again_once_they_are_mended(mixed: Path, tmp_path: Path) -> None:
    run("events", mixed, "--out", tmp_path / "out", "--rejects", tmp_path / "refused.csv")
    mended = (
        (tmp_path / "refused.csv").read_text().replace('"eaten"', '"order_placed"').replace(",-1,", ",1,")
    )
    (tmp_path / "mended.csv").write_text(mended)

    run("events", tmp_path / "mended.csv", "--out", tmp_path / "mended")

    assert read_log(tmp_path / "mended")["event_id"].to_pylist() == ["b", "c"]


def test_when_the_log_cannot_be_written_there_are_no_rejects_either(mixed: Path, tmp_path: Path) -> None:
    (tmp_path / "out").touch()

    with pytest.raises(BadInput, match="cannot be written"):
        run("events", mixed, "--out", tmp_path / "out", "--rejects", tmp_path / "refused.csv")

    assert files(tmp_path) == ["in/log.parquet", "out"]


@pytest.mark.parametrize(
    ("out", "rejects", "message"),
    [
        ("in", None, "would overwrite the source"),
        ("out", "refused.xlsx", "must end in .parquet or .csv"),
        ("out", "in/log.parquet", "would overwrite the source or the log"),
        ("out", "out/events.parquet", "would overwrite the source or the log"),
    ],
)
def test_targets_that_would_destroy_something_are_refused(
    out: str, rejects: str | None, message: str, mixed: Path, tmp_path: Path
) -> None:
    pq.write_table(table(event("a")), mixed.parent / "events.parquet")
    source = mixed.parent if out == "in" else mixed
    option = ["--rejects", tmp_path / rejects] if rejects else []

    with pytest.raises(BadInput, match=message):
        run("events", source, "--out", tmp_path / out, *option)


def test_retail_is_imported_with_its_report_and_its_rejects(tmp_path: Path) -> None:
    source = tmp_path / "retail.parquet"
    lines = [line("1", "85048", 1), line("1", "POST", 1)]
    pd.DataFrame(lines, columns=list(PARQUET)).to_parquet(source)
    rejects = tmp_path / "left-out.csv"

    shown = run("online-retail-ii", source, "--out", tmp_path / "out", "--rejects", rejects)
    figures = json.loads(run("online-retail-ii", source, "--out", tmp_path / "out", "--json"))

    assert "not_goods" in shown
    assert (figures["read"], figures["accepted"], figures["orders"]) == (2, 1, 1)
    assert figures["rejected_by_reason"] == {"not_goods": 1}
    assert figures["match_rate"] is None
    assert read_log(tmp_path / "out").num_rows == figures["events"] == 2
    assert pacsv.read_csv(rejects)["reason"].to_pylist() == ["not_goods"]


@pytest.mark.parametrize("verb", ["events", "online-retail-ii"])
def test_help_has_an_example_for_each_way_of_use(verb: str) -> None:
    shown = run(verb, "--help")

    assert shown.count(f"buyer-tier import {verb} ") == 3
    assert "--rejects" in shown
