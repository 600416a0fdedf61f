"""The verb `backtest` as its users type it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backtest.backtest import Order
from backtest.backtest import backtest as run
from backtest.history import read_history
from backtest.marketplace import MarketConfig, simulate
from backtest.replay import Fixed
from backtest.run_record import inputs_of, read_policies
from backtest.truth import read_truth
from buyer_tier.cli import app
from features.errors import BadInput
from features.files import replacing
from features.log import write_log, write_table
from features.scan import open_log
from tests.backtest.scenes import small_model


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    market = simulate(MarketConfig(buyers=150, days=240, abuse_rate=0.2, seed=3))
    folder = tmp_path_factory.mktemp("market")
    write_log(market.events, folder)
    with replacing(folder / "truth.parquet") as temporary:
        write_table(market.truth, temporary, kind=".parquet")
    return folder


def refusal(*arguments: str | Path) -> str:
    with pytest.raises(BadInput) as refused:
        CliRunner().invoke(app, ["backtest", *map(str, arguments)], catch_exceptions=False)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_report_shows_exactly_the_one_rule_that_was_changed(log: Path, tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('version = "a"\nquality_score_min = 700')
    (tmp_path / "b.toml").write_text('version = "b"\nquality_score_min = 700\ncap_fen = 15_000')
    policies = read_policies([tmp_path / "a.toml", tmp_path / "b.toml"])
    opened, out = open_log(log), tmp_path / "out"
    order = Order(
        log=opened, out=out, policies=policies, truth=read_truth(log / "truth.parquet"), budget=0.05
    )
    inputs = inputs_of(opened, policies, models="test", since=None, until=None)
    report = run(order, Fixed(small_model()), inputs)
    assert [d["setting"] for d in report["policies"][1]["changes"]] == ["cap_fen"]
    swap = report["swaps"][0]
    assert (swap["gained"]["requests"], swap["lost"]["requests"] > 5) == (0, True)
    one, other = report["policies"]
    for fen in ("loss_fen", "worst_fen"):
        changed = sum(swap[of][fen]["after"] - swap[of][fen]["before"] for of in ("gained", "lost"))
        assert other["figures"][fen]["value"] - one["figures"][fen]["value"] == changed, "all is explained"
    assert [k["archetype"] for k in one["by_archetype"]] == [k["archetype"] for k in other["by_archetype"]]
    for band in report["policies"][1]["slices"]["amount"]:
        if band["amount"] in ("200–300 yuan", "300 yuan and more"):
            assert band["auto"] == 0
    page = (out / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "What history cannot tell" in page
    asked = read_history(opened).requests["requested_at"]
    assert f"of {asked[0].as_py():%Y-%m-%d} to {asked[-1].as_py():%Y-%m-%d} · log of 2025" in page
    assert "cap_fen" in page
    assert "Hollow points are months of which only a part was replayed" in page
    for policy in report["policies"]:
        caught = [policy["figures"][name]["value"] for name in ("caught", "caught_by_rules", "caught_by_log")]
        assert caught[0] == caught[2] > 0, "the notice has no strikes: only the log's confirmations revoke"
        assert caught[1] == 0
    whole = [month["whole"] for month in report["policies"][0]["over_time"]]
    assert whole[1:-1] == [True] * (len(whole) - 2)
    before = report["history"]["before_shipment"]
    slices = report["policies"][0]["slices"]
    for rows in (report["policies"][0]["over_time"], slices["amount"], slices["goods"], slices["tier"]):
        assert sum(row["requests"] for row in rows) == before, "policies are about requests before shipment"
    assert json.loads((out / "report.json").read_text()) == report
    again = run(order, Fixed(small_model()), inputs)
    assert again == report


def test_a_policy_that_refunds_nobody_is_said_to_and_no_change_is_cheapest_by_refunding_nobody(
    log: Path, tmp_path: Path
) -> None:
    (tmp_path / "a.toml").write_text('version = "a"\nquality_score_min = 890')
    (tmp_path / "none.toml").write_text('version = "none"\nstopped = true')
    policies = read_policies([tmp_path / "a.toml", tmp_path / "none.toml"])
    opened, out = open_log(log), tmp_path / "out"
    order = Order(log=opened, out=out, policies=policies, truth=None, budget=0.0)
    inputs = inputs_of(opened, policies, models="test", since=None, until=None)
    report = run(order, Fixed(small_model()), inputs)
    assert [point["nobody"] for point in report["front"]] == [True, True]
    assert report["budget"]["cheapest"] is None
    assert all(row["nobody"] for row in report["budget"]["changes"])
    page = (out / "report.html").read_text()
    assert "none refunds nobody at once: it loses nothing and serves nobody" in page
    assert "On the front" not in page
    assert "caught" not in report["policies"][0]["figures"], "nobody knows who abuses"


def test_bad_input_is_said_in_one_line(log: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text('version = "bad"\n\ncap_fenn = 3')
    said = refusal("--events", log, "--policy", tmp_path / "bad.toml")
    assert "bad.toml:3: cap_fenn is not a setting; did you mean cap_fen?" in said
    assert "cannot be read: No such file" in refusal("--events", log, "--policy", tmp_path / "none.toml")
    out = tmp_path / "late"
    assert "begins 2025" in refusal("--events", log, "--since", "2020-01-01", "--out", out)
    assert "before the first decision" in refusal("--events", log, "--since", "2031-01-01", "--out", out)
    assert "no truth file" in refusal("--events", log, "--truth", log / "events.parquet", "--out", out)
    assert not out.exists()
    said = refusal("--events", log, "--since", "2025-06-01", "--out", out)
    assert "no month can be decided by a model of its own time" in said
    assert not out.exists(), "nothing is left of a run that decided nothing"
    assert "no such file" in refusal("--events", tmp_path / "nothing")
    assert "is not before" in refusal("--events", log, "--since", "2025-09-01", "--until", "2025-08-01")
    assert "give one" in refusal("--events", log, "--task", "cancellation", "--model", "7")
    assert "0 to 1" in refusal("--events", log, "--loss-budget", "5")


def test_a_loss_budget_is_refused_where_nothing_tells_what_a_refund_loses(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    asked = ["--events", log, "--task", "cancellation", "--loss-budget", "0.02", "--out", out]
    assert "what a refund loses is not known" in refusal(*asked)
    assert not out.exists()


@pytest.mark.parametrize("seed", ["-1", "4294967296"])
def test_a_seed_that_no_training_takes_is_wrong_usage(log: Path, tmp_path: Path, seed: str) -> None:
    out = tmp_path / "out"
    said = CliRunner().invoke(app, ["backtest", "--events", str(log), "--seed", seed, "--out", str(out)])
    assert said.exit_code == 2
    assert not out.exists()


def test_a_model_that_the_registry_lacks_is_refused(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUYER_TIER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert "no champion" in refusal("--events", log, "--model", "champion")
    assert "has no version 9" in refusal("--events", log, "--model", "9")


def test_a_folder_with_another_run_is_left_alone(log: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    policies = read_policies([])
    opened = open_log(log)
    order = Order(log=opened, out=tmp_path, policies=policies)
    inputs = inputs_of(opened, policies, models="test", since=None, until=None)
    with pytest.raises(BadInput, match="holds something else than a backtest"):
        run(order, Fixed(small_model()), inputs)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
