"""The verb `backtest --world` as its users type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buyer_tier.cli import app
from features.errors import BadInput


def refusal(*arguments: str) -> str:
    with pytest.raises(BadInput) as refused:
        CliRunner().invoke(app, ["backtest", *arguments], catch_exceptions=False)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--events", "market", "makes its own history"),
        ("--since", "2026-01-01", "--days"),
        ("--until", "2026-01-01", "--days"),
        ("--truth", "truth.parquet", "knows who abuses"),
        ("--goods", "physical", "knows what its orders hold"),
        ("--task", "cancellation", "confirms abuse"),
        ("--loss-budget", "0.02", "--policy"),
    ],
)
def test_what_belongs_to_a_history_is_refused_with_a_world(option: str, value: str, said: str) -> None:
    refused = refusal("--world", option, value)
    assert f"{option} does not go with --world" in refused
    assert said in refused


@pytest.mark.parametrize(
    ("option", "value"), [("--buyers", "9"), ("--days", "9"), ("--abuse-rate", "0.1"), ("--seeds", "2")]
)
def test_what_belongs_to_a_world_is_refused_with_a_history(option: str, value: str) -> None:
    assert f"{option} does not go without --world" in refusal("--events", "market", option, value)


def test_neither_a_history_nor_a_world_is_refused() -> None:
    assert "give a history (--events FOLDER) or a simulated market (--world)" in refusal()


def test_a_market_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "abuse_rate is 2" in refusal("--world", "--abuse-rate", "2", "--out", str(out))
    assert "buyers is 0" in refusal("--world", "--buyers", "0", "--out", str(out))
    assert not out.exists()


@pytest.mark.slow
def test_a_world_is_lived_and_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYER_TIER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    market = ("--buyers", "1500", "--days", "330", "--abuse-rate", "0.05", "--seed", "3")
    result = CliRunner().invoke(app, ["backtest", "--world", *market, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["world"]["decided_from"] == "2026-03"
    assert report["policies"][0]["figures"]["before"]["value"] > 10
    assert Path(report["page"]).is_file()
    assert report["run_id"]
