"""The commands that close the loop: verify and export what a service has, and learn from it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from typer.testing import CliRunner

from backtest.marketplace import MarketConfig, simulate
from backtest.requests import refund_requests
from buyer_tier.cli import app as command
from features.errors import BadInput
from features.log import write_log
from serving.app import create_app
from serving.settings import Settings
from serving.store import skew_checks
from tests.serving.conftest import client_of
from tests.serving.deciding import decided, run
from tests.serving.scenes import ASKED_AT, FakeModels, event, good_history, table
from tests.serving.test_verify import append, asked


@pytest.fixture(autouse=True)
def environment(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYER_TIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BUYER_TIER_DATABASE_URL", url)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture
def served(url: str) -> str:
    decided(url, [asked()], log=table(good_history()), at=datetime.now(UTC))
    return url


def buyer_tier(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(command, arguments)
    if isinstance(result.exception, BadInput):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.stdout


def test_verify_says_that_all_is_equal_and_ends_well(served: str) -> None:
    assert "1 of 1 decisions recomputed: 1 equal to the bit, 0 differ" in buyer_tier("features", "verify")
    found = json.loads(buyer_tier("features", "verify", "--all", "--json"))
    assert (found["decisions"], found["differing"], found["log"], found["by_feature"]) == (
        1,
        0,
        "service",
        [],
    )
    assert set(found["by_cause"].values()) == {0}


def test_verify_names_what_came_late_and_still_ends_well(served: str) -> None:
    append(served, [event("late", "good", "order_placed", ASKED_AT - timedelta(days=1), order_id="x")])
    found = json.loads(buyer_tier("features", "verify", "--json"))
    assert found["by_cause"]["late_ingestion"] == 1
    assert {
        name: value
        for row in found["by_feature"]
        if row["feature"] == "orders_placed_count_365d"
        for name, value in row.items()
        if name != "example"
    } == {"feature": "orders_placed_count_365d", "cause": "late_ingestion", "decisions": 1}
    shown = buyer_tier("features", "verify")
    assert "late ingestion" in shown
    assert "orders_placed_count_365d" in shown
    assert found["by_feature"][0]["example"]["decision_id"] in shown.replace("\n", "")


def test_verify_fails_on_what_nothing_explains(served: str) -> None:
    run(served, "UPDATE decisions SET vector = set_byte(vector, 0, 1)")
    assert "unexplained" in buyer_tier("features", "verify", code=1)


def test_verify_without_decisions_says_so() -> None:
    assert "nothing to verify" in buyer_tier("features", "verify")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "2026-01-01"], "--since .* has no time zone"),
        (["--events", "nowhere"], "nowhere: no such file"),
        (["--events", "postgresql://u:pw@127.0.0.1:1/x"], "postgresql://u@127.0.0.1:1/x: cannot be read"),
    ],
)
def test_what_verify_cannot_use_is_refused(served: str, options: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        buyer_tier("features", "verify", *options)


def test_the_events_of_another_service_are_read_over_adbc(served: str, tmp_path: Path) -> None:
    assert json.loads(buyer_tier("features", "verify", "--events", served, "--json"))["differing"] == 0
    for events, name in ((served, "far"), (str(write_log(table(good_history()), tmp_path)), "near")):
        instant = ("--as-of", "2026-03-01T00:00:00Z", "--memory", "1GiB")
        buyer_tier("features", "--events", events, *instant, "--out", str(tmp_path / name))
    assert (tmp_path / "far").read_bytes() == (tmp_path / "near").read_bytes()


def test_a_database_without_events_is_named_in_one_line(url: str) -> None:
    with pytest.raises(BadInput, match=r'cannot be read \(.*relation "events" does not exist\)'):
        buyer_tier("load", "--events", url.replace("/postgres?", "/template1?"))


def test_export_says_what_it_added(served: str, tmp_path: Path) -> None:
    assert "8 new events and 1 new decisions" in buyer_tier(
        "features", "export", "--out", str(tmp_path / "o")
    )
    again = json.loads(buyer_tier("features", "export", "--out", str(tmp_path / "o"), "--json"))
    assert (again["new_events"], again["events"], again["decisions"]) == (0, 8, 1)


async def test_the_newest_verification_is_exported_as_metrics(
    settings: Settings, url: str, headers: dict[str, str]
) -> None:
    app: FastAPI = create_app(settings, database_url=url, models=FakeModels())

    async def metrics(client: httpx.AsyncClient) -> dict[str, float]:
        text = (await client.get("/metrics")).text
        lines = [
            line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("buyer_tier_feature_skew")
        ]
        return {name.removeprefix("buyer_tier_feature_skew_"): float(value) for name, value in lines}

    async with client_of(app, headers) as client:
        assert await metrics(client) == {}
        database = app.state.database
        for late in (0, 3):
            async with database.connection() as connection:
                await skew_checks.add(connection, {"compared": 9, "by_cause": {"late_ingestion": late}})
        found = await metrics(client)
    assert found["checked_decisions"] == 9
    assert found['differing_decisions{cause="late_ingestion"}'] == 3
    assert abs(found["check_timestamp_seconds"] - datetime.now(UTC).timestamp()) < 60


@pytest.mark.slow
def test_a_model_trained_on_the_export_is_the_model_trained_on_the_log(url: str, tmp_path: Path) -> None:
    config = MarketConfig(buyers=1500, days=420, abuse_rate=0.04)
    market = simulate(config)
    write_log(market.events, tmp_path / "log")
    buyer_tier("load", "--events", str(tmp_path / "log"), "--json")
    requests = refund_requests(market.events, since=config.end - timedelta(days=30), until=config.end)
    made = decided(url, requests.items[:60], at=datetime.now(UTC))
    buyer_tier("features", "verify", "--all")
    exported = json.loads(buyer_tier("features", "export", "--out", str(tmp_path / "out"), "--json"))
    assert (exported["events"], exported["decisions"]) == (len(market.events), made)
    reports = [
        json.loads(buyer_tier("train", "--events", str(tmp_path / folder), "--json"))
        for folder in ("log", "out")
    ]
    first, second = reports
    assert first["data_fingerprint"] == second["data_fingerprint"]
    assert first["metrics"] == second["metrics"]
    for name in ("trees.txt", "buyer_score.json"):
        models = [file.read_bytes() for file in (tmp_path / "home").rglob(f"data/buyer_score/{name}")]
        assert len(models) == 2
        assert models[0] == models[1]
    assert pq.read_table(tmp_path / "out" / "decisions.parquet").num_rows == made
