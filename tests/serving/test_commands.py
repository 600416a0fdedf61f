from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest
import typer
from typer.testing import CliRunner

import serving.direct
from buyer_tier.commands import decide, keys, load, score
from features.errors import BadInput
from features.log import write_log
from serving.errors import AfterSaleConflict, StoredEventsDiffer, Unavailable
from tests.serving.scenes import FakeModels, good_history, request, table

APP = typer.Typer()
APP.command()(load.load)
APP.command()(score.score)
APP.command()(decide.decide)
APP.add_typer(keys.app, name="keys")
MODELS = FakeModels()


@pytest.fixture(autouse=True)
def environment(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYER_TIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BUYER_TIER_DATABASE_URL", url)
    monkeypatch.setattr(serving.direct, "Registry", lambda _uri: MODELS)
    monkeypatch.setattr(MODELS, "version", "7")


def run(*arguments: str, stdin: str | None = None) -> str:
    result = CliRunner().invoke(APP, arguments, input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def market(tmp_path: Path) -> str:
    write_log(table(good_history("good") + placed("good")), tmp_path / "market")
    return str(tmp_path / "market")


def placed(buyer_id: str) -> list[dict[str, object]]:
    return [
        row | {"event_id": f"{row['event_id']}-o", "kind": "order_placed"}
        for row in good_history(buyer_id)[::2]
    ]


def test_loading_twice_stores_once(market: str) -> None:
    assert json.loads(run("load", "--events", market, "--json")) == {
        "events": 12,
        "loaded": 12,
        "duplicates": 0,
    }
    assert json.loads(run("load", "--events", market, "--json")) == {
        "events": 12,
        "loaded": 0,
        "duplicates": 12,
    }


def test_a_grown_log_adds_what_is_new(market: str, tmp_path: Path) -> None:
    run("load", "--events", market)
    grown = write_log(
        table(good_history() + placed("good") + good_history("b") + placed("b")), tmp_path / "grown"
    )
    assert json.loads(run("load", "--events", str(grown), "--json")) == {
        "events": 24,
        "loaded": 12,
        "duplicates": 12,
    }


def test_a_log_that_contradicts_what_is_stored_loads_nothing(market: str, tmp_path: Path) -> None:
    run("load", "--events", market)
    rows = good_history() + placed("good") + good_history("b") + placed("b")
    rows[0]["amount_fen"] = 1
    changed = write_log(table(rows), tmp_path / "changed")
    with pytest.raises(StoredEventsDiffer, match=r"1 event ids .*good-p0.*nothing was loaded"):
        run("load", "--events", str(changed))
    assert json.loads(run("score", "b", "--json"))["items"][0]["tier"] == "new"


@pytest.mark.parametrize("content", [None, b"", b"PAR1 not really"])
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    directory = tmp_path / "bad"
    directory.mkdir()
    if content is not None:
        (directory / "events.parquet").write_bytes(content)
    with pytest.raises(BadInput):
        run("load", "--events", str(directory))


def test_scores_as_over_http(market: str) -> None:
    run("load", "--events", market)
    items = json.loads(run("score", "good", "nobody", "--as-of", "2026-03-01T12:00:00Z", "--json"))["items"]
    assert [(item["buyer_id"], item["score"], item["tier"]) for item in items] == [
        ("good", 800.0, "quality"),
        ("nobody", 800.0, "new"),
    ]
    assert "quality" in run("score", "good")


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(BadInput, match="--as-of"):
        run("score", "good", "--as-of", "2026-03-01T12:00:00")


def test_a_decision_is_stored_and_shown_again(market: str, tmp_path: Path) -> None:
    run("load", "--events", market)
    file = tmp_path / "request.json"
    file.write_text(json.dumps(request()))
    first = run("decide", str(file), "--json")
    again = run("decide", "-", "--json", stdin=json.dumps(request()))
    assert first == again
    assert json.loads(first)["outcome"] == "auto_refund"
    assert json.loads(first)["buyer"]["reasons"][0]["code"] == "cancellation"
    shown = run("decide", str(file))
    assert "auto_refund" in shown
    assert "decided before" in shown
    with pytest.raises(AfterSaleConflict):
        run("decide", "-", stdin=json.dumps(request(refund_amount_fen=1)))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "line 1 column"),
        (json.dumps(request(refund_amount_fen=0)), "refund_amount_fen: .*greater than 0"),
    ],
)
def test_a_bad_request_is_one_line(content: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        run("decide", "-", stdin=content)


def test_without_a_model_nothing_is_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MODELS, "version", None)
    with pytest.raises(Unavailable, match="no model is registered"):
        run("decide", "-", stdin=json.dumps(request()))


def test_keys_are_made_listed_and_revoked_and_kept_as_hashes() -> None:
    made = json.loads(
        run("keys", "create", "--name", "shop", "--scope", "decide", "--expires-days", "30", "--json")
    )
    assert made["key"].startswith("bt_")
    assert run("keys", "create", "--name", "other", "--scope", "score:read").startswith("bt_")
    run("keys", "revoke", made["key_id"])
    listed = run("keys", "list", "--json")
    assert [key["name"] for key in json.loads(listed)] == ["shop", "other"]
    assert [bool(key["revoked_at"]) for key in json.loads(listed)] == [True, False]
    assert made["key"] not in listed
    with pytest.raises(BadInput, match="no key 'x'"):
        run("keys", "revoke", "x")
    with pytest.raises(BadInput, match="unknown scope 'refund'"):
        run("keys", "create", "--name", "x", "--scope", "refund")


SERVE = "from buyer_tier.commands.serve import serve; serve(host='127.0.0.1', port=0)"


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_serve_stops_cleanly_and_takes_its_database_along(home: Path, stop: signal.Signals) -> None:
    environment = {**os.environ, "BUYER_TIER_HOME": str(home), "PYTHONUNBUFFERED": "1"}
    del environment["BUYER_TIER_DATABASE_URL"]
    with subprocess.Popen(
        [sys.executable, "-c", SERVE],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split()[-1]
        ready = _answer(f"{address}/readyz")
        assert process.stdout.readline().split()[-1] == f"{address}/docs"
        assert "keys create" in process.stdout.readline()
        process.send_signal(stop)
        assert process.wait(30) == 0
    assert ready.status_code == 503
    assert "no model is registered" in ready.json()["detail"]
    left = [p for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or ())]
    assert left == []


def _answer(address: str) -> httpx.Response:
    for _ in range(300):
        try:
            return httpx.get(address, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(address)
