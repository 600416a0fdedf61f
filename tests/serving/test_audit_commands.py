"""What an auditor types: verify, keep heads, read a dossier, replay."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

import serving.direct
from buyer_tier import console
from buyer_tier.cli import app
from decisions.request import RefundRequest
from features.errors import BadInput
from serving.errors import ModelGone
from tests.serving.deciding import decided
from tests.serving.deciding import run as sql
from tests.serving.scenes import ASKED_AT, NOW, FakeModels, event, good_history, request, table

MODELS = FakeModels()


@pytest.fixture(autouse=True)
def environment(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYER_TIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BUYER_TIER_DATABASE_URL", url)
    monkeypatch.setattr(console, "out", Console(width=200))  # whatever the width was when it was imported
    monkeypatch.setattr(serving.direct, "Registry", lambda _uri: MODELS)


@pytest.fixture
def three(url: str) -> str:
    """Three decisions of a good buyer; the URL."""
    bodies = [request(after_sale_id=f"AS-{n}", order_id=f"O-{n}", reason="<b>why</b>") for n in range(3)]
    assert (
        decided(
            url, [msgspec.convert(body, RefundRequest) for body in bodies], log=table(good_history()), at=NOW
        )
        == 3
    )
    return url


def test_a_dossier_does_not_call_a_buyer_new_of_whom_only_nothing_was_on_record(url: str) -> None:
    confirmed = event("v1", "good", "abuse_confirmed", ASKED_AT.replace(hour=1), reason="empty_box")
    asked = [msgspec.convert(request(refund_amount_fen=9900), RefundRequest)]
    decided(url, asked, log=table([*good_history(), confirmed]), at=NOW)
    shown = run("audit", "dossier", "AS-1").stdout
    for said in (
        "(manual_review): 1 of 9 rules failed: standing (standing is revoked",
        "nothing on record → revoked",
        "Before the first change below nothing was on record.",
        "您可申诉",
        "reason empty_box",
    ):
        assert said in shown, said
    assert "new →" not in shown
    assert "no record" in run("standing", "show", "good").stdout


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_verify_says_whole_and_broken_to_people_and_machines(three: str) -> None:
    whole = run("audit", "verify")
    assert (whole.exit_code, "3 records hold in 1 chain, all whole" in whole.stdout) == (0, True)
    assert "without --heads" in whole.stdout
    sql(three, "UPDATE decisions SET refund_amount_fen = 1 WHERE place = 2")
    broken = run("audit", "verify")
    assert broken.exit_code == 1
    assert re.search(
        r"\d{4}-\d\d/1: altered at place 2, at decisions [0-9a-f-]{36}: the record", broken.stdout
    )
    document = json.loads(run("audit", "verify", "--json").stdout)
    assert (document["whole"], document["records"]) == (False, 2)
    assert [fault["fault"] for fault in document["partitions"][0]["faults"]] == ["altered"]
    sql(three, "UPDATE decisions SET refund_amount_fen = 1 WHERE place = 3")
    document = json.loads(run("audit", "verify", "--json").stdout)
    assert [fault["place"] for fault in document["partitions"][0]["faults"]] == [2, 3]


def test_heads_kept_show_what_was_cut_off(three: str, tmp_path: Path) -> None:
    kept = tmp_path / "heads.json"
    kept.write_text(run("audit", "heads").stdout)
    again = run("audit", "verify", "--heads", str(kept))
    assert (again.exit_code, "at 3" in again.stdout) == (0, True)
    sql(three, "DELETE FROM decisions WHERE place = 3")
    sql(three, "UPDATE chains SET place = 2, hash = (SELECT hash FROM decisions WHERE place = 2)")
    assert run("audit", "verify").exit_code == 0
    cut = run("audit", "verify", "--heads", str(kept))
    assert (cut.exit_code, "missing at place 3" in cut.stdout) == (1, True)


def test_what_cannot_be_verified_is_refused(three: str, tmp_path: Path) -> None:
    wrong = tmp_path / "x.json"
    wrong.write_text('{"decisions": 1}')
    with pytest.raises(BadInput, match="not a file of `buyer-tier audit heads`"):
        run("audit", "verify", "--heads", str(wrong))
    with pytest.raises(BadInput, match="cannot be read"):
        run("audit", "verify", "--heads", str(tmp_path / "none"))
    with pytest.raises(BadInput, match="there is no partition 'x'"):
        run("audit", "verify", "--partition", "x")


def test_a_dossier_is_read_in_the_terminal_as_json_and_as_a_page(three: str, tmp_path: Path) -> None:
    shown = run("audit", "dossier", "AS-1").stdout
    for said in (
        "Refunded at once (auto_refund): all 9 rules passed.",
        "12,900 fen (129.00 yuan)",
        "Asked 2026-03-01 12:00:00 UTC (03-01 20:00 Shanghai)",
        "Nothing was on record. A buyer without a record is new or eligible",
        "the link holds",
        "quality_score_min",
    ):
        assert said in shown, said
    found = json.loads(run("audit", "dossier", "AS-1", "--json").stdout)
    assert (found["after_sale_id"], found["chain"]["place"]) == ("AS-1", 2)
    page = tmp_path / "why.html"
    run("audit", "dossier", found["decision_id"], "--html", str(page))
    html = page.read_text()
    assert "&lt;b&gt;why&lt;/b&gt;" in html
    assert not re.search(r"<b>|src=|href=|<script", html), "nothing is loaded, nothing of a client is markup"
    with pytest.raises(BadInput, match="there is no decision with the id 'nobody'"):
        run("audit", "dossier", "nobody")
    with pytest.raises(BadInput, match="is a folder"):
        run("audit", "dossier", "AS-1", "--html", str(tmp_path))


def test_a_decision_is_replayed_and_what_differs_is_named(three: str) -> None:
    same = run("decide", "--replay", "AS-1")
    assert (same.exit_code, "same bytes" in same.stdout) == (0, True)
    assert json.loads(run("decide", "--replay", "all", "--json").stdout)["same_bytes"] == 3
    since = ("--since", "2099-01-01T00:00:00Z")
    assert json.loads(run("decide", "--replay", "all", *since, "--json").stdout)["same_bytes"] == 0
    sql(three, "UPDATE decisions SET tier = 'low' WHERE after_sale_id = 'AS-1'")
    other = run("decide", "--replay", "AS-1")
    assert other.exit_code == 1
    assert re.search(r"tier\s*│ low\s*│ quality", other.stdout)
    document: dict[str, Any] = json.loads(run("decide", "--replay", "AS-1", "--json").stdout)
    assert document["differences"] == [{"field": "tier", "stored": "low", "recomputed": "quality"}]
    every = run("decide", "--replay", "all")
    assert (every.exit_code, "2 decisions gave the same bytes, 1 did not" in every.stdout) == (1, True)


def test_a_decision_whose_model_is_gone_is_refused(three: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(version: str) -> Any:
        raise LookupError(version)

    monkeypatch.setattr(MODELS, "load", gone)
    with pytest.raises(ModelGone, match=r"model version 7.*no longer in the registry"):
        run("decide", "--replay", "AS-1")
    every = run("decide", "--replay", "all")
    assert (every.exit_code, "3 not replayed: model version 7" in every.stdout) == (2, True)
    assert json.loads(run("audit", "dossier", "AS-1", "--json").stdout)["reasons"] is None


@pytest.mark.parametrize(
    "arguments",
    [(), ("r.json", "--replay", "AS-1"), ("--replay", "AS-1", "--since", "2026-01-01T00:00:00Z"),
     ("--replay", "nobody"), ("--replay", "all", "--since", "yesterday"), ("r.json", "--since", "x")],
)  # fmt: skip
def test_what_is_neither_a_request_nor_a_replay_is_refused(three: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(BadInput):
        run("decide", *arguments)
