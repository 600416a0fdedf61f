from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.training.retrain_scenes import market

from .conftest import Command


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    pq.write_table(market(), folder / "events.parquet")
    return folder


@pytest.fixture
def run(command: Command, home: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("BUYER_TIER_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(home)
    return command


EVENTS = ("--events", "events.parquet")


def test_a_retraining_and_what_a_person_may_do_with_it(run: Any, home: Path) -> None:
    code, out, _ = run("retrain", *EVENTS, "--until", "2027-01-25", "--json")
    first = json.loads(out)
    assert (code, first["outcome"], first["champion_now"]) == (0, "promoted", "1")
    assert Path(first["page"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    code, out, _ = run("retrain", *EVENTS, "--until", "2027-01-25")
    assert (code, "trained before" in out) == (0, True)
    code, out, _ = run("retrain", *EVENTS, "--until", "2027-01-25", "--seed", "5", "--json")
    assert json.loads(out)["model_version"] == "2"
    if json.loads(out)["outcome"] == "held":
        assert run("models", "promote", "2", "--reason", "a person's word")[0] == 0
    code, out, _ = run("models", "rollback", "--reason", "complaints", "--json")
    assert (code, json.loads(out)["version"], json.loads(out)["replaced"]) == (0, "1", "2")
    code, out, _ = run("models", "history", "--json")
    assert [change["version"] for change in json.loads(out)] == ["1", "2", "1"]
    code, out, _ = run("models", "compare", "1", "2", *EVENTS, "--json")
    assert {line["measure"] for line in json.loads(out)} == {"roc_auc", "average_precision", "loss_share"}
    assert all(line["low"] <= line["second"] - line["first"] <= line["high"] for line in json.loads(out))
    for words, said in (
        (("models", "rollback", "--reason", "more"), "nothing to roll back to"),
        (("models", "promote", "1", "--reason", "x"), "the champion already"),
        (("models", "promote", "8", "--reason", "x"), "no version 8"),
        (("models", "compare", "1", "8"), "no version 8"),
    ):
        code, _, err = run(*words)
        assert (code, said in err.replace("\n", " "), err.count("\n")) == (2, True, 1), err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--window", "2027-03"), "retrain from 2027-06-29"),
        (("--window", "2026-09-15"), "windows begin on the first of a month"),
        (("--window", "soon"), "--window is"),
        (("--until", "2026-05-01"), "train again from"),
    ],
)
def test_a_window_that_cannot_be_trained_is_refused_with_what_would_do(
    run: Any, words: tuple[str, ...], said: str
) -> None:
    code, _, err = run("retrain", *EVENTS, *words)
    assert code == 2
    assert said in " ".join(err.split())


def test_the_mlflow_project_runs_the_command(run: Any) -> None:
    import yaml

    project = yaml.safe_load((Path(__file__).parents[2] / "MLproject").read_text())
    entry = project["entry_points"]["retrain"]
    words = entry["command"].split()
    assert words[:4] == ["python", "-m", "buyer_tier", "retrain"]
    options = {f"--{name.replace('_', '-')}" for name in entry["parameters"]}
    assert {word for word in words if word.startswith("--")} == options
    code, out, _ = run("retrain", "--help")
    assert (code, all(option in out for option in options)) == (0, True)
