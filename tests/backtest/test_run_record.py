from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from backtest.run_record import FILE, Inputs, recorded
from features.errors import BadInput

INPUTS = Inputs(log="log", policies={}, models="test", since=None, until=None, goods=None)


def refused(out: Path, *made: str) -> None:
    with pytest.raises(BadInput, match="no month"):
        begun(out, *made)


def begun(out: Path, *made: str) -> None:
    with recorded(out, INPUTS):
        for name in made:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            (out / name).write_text("made")
        raise BadInput("no month can be decided")


def test_a_run_that_is_refused_before_it_decides_leaves_nothing(tmp_path: Path) -> None:
    refused(tmp_path / "run", "features.parquet", "models/2026-01/about.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("decided", ["policies/notice/decisions/2026-01.parquet", "worlds/notice/x"])
def test_a_run_that_is_refused_after_it_decided_can_go_on(tmp_path: Path, decided: str) -> None:
    refused(tmp_path / "run", "features.parquet", decided)
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {FILE, "features.parquet"}
    with recorded(tmp_path / "run", INPUTS):
        pass


def test_what_an_interrupted_run_began_is_free_again_once_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), recorded(tmp_path / "run", INPUTS):
        raise KeyboardInterrupt
    assert (tmp_path / "run" / FILE).exists(), "the same again would go on"
    refused(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_another_runs_folder_is_left_as_it_is(tmp_path: Path) -> None:
    with recorded(tmp_path, INPUTS):
        (tmp_path / "features.parquet").write_text("made")
    other = Inputs(log="other", policies={}, models="test", since=None, until=None, goods=None)
    with pytest.raises(BadInput, match="other inputs \\(log\\)"), recorded(tmp_path, other):
        pass
    assert (tmp_path / "features.parquet").exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("letter.txt", "dear", "something else than a backtest"),
        (FILE, "{}", "not the record of a backtest"),
        (FILE, "[1]", "not the record of a backtest"),
        (FILE, "no json", "not the record of a backtest"),
        (FILE, json.dumps(asdict(INPUTS) | {"log": "other"}), "other inputs"),
    ],
)
@pytest.mark.parametrize("hidden", [(), (".lock",), (".git",)])
def test_nothing_is_left_in_a_folder_that_is_anothers(
    tmp_path: Path, name: str, text: str, said: str, hidden: tuple[str, ...]
) -> None:
    for file in (name, *hidden):
        (tmp_path / file).write_text(text)
    with pytest.raises(BadInput, match=said), recorded(tmp_path, INPUTS):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {name, *hidden}
