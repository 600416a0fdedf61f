"""What operators type: policies put in force and standings looked at, in the service's database."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from buyer_tier.cli import app
from features.errors import BadInput
from serving.errors import NotAllowed, PolicyConflict
from serving.store import events as event_store
from tests.serving.deciding import run as sql
from tests.serving.scenes import ASKED_AT, event, table


@pytest.fixture(autouse=True)
def environment(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUYER_TIER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("BUYER_TIER_DATABASE_URL", url)
    monkeypatch.delenv("BUYER_TIER_KEY", raising=False)


def run(*arguments: str, key: str | None = None, code: int = 0) -> Any:
    result = CliRunner().invoke(
        app, [*arguments, "--json"], env={"BUYER_TIER_KEY": key}, catch_exceptions=False
    )
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if result.stdout else None


def made(name: str, scope: str) -> str:
    return str(run("keys", "create", "--name", name, "--scope", scope)["key"])


def test_one_key_proposes_and_another_activates_stops_and_rolls_back(tmp_path: Path) -> None:
    alice, bob = made("alice", "policy:propose"), made("bob", "policy:activate")
    file = tmp_path / "p.toml"
    file.write_text('version = "p-1"\ncap_fen = 20_000\n')
    assert run("policy", "propose", str(file), key=alice)["new"] is True
    assert run("policy", "propose", str(file), key=alice)["new"] is False
    why = ("--reason", "a test")
    assert run("policy", "activate", "p-1", *why, key=bob)["version"] == "p-1"
    run("policy", "stop", *why, key=bob)
    run("policy", "resume", *why, key=bob)
    assert run("policy", "rollback", *why, key=bob)["version"] == "notice"
    history = run("policy", "history")
    assert [a["action"] for a in history] == ["rollback", "resume", "stop", "activate"]
    assert {a["made_by"] for a in history} == {"bob"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("activate", "p-9", "--reason", "x"), BadInput),
        (("activate", "notice", "--reason", "x"), PolicyConflict),
        (("activate", "notice", "--reason", "x", "--at", "2099-01-01"), BadInput),
        (("activate", "notice", "--reason", "x", "--at", "2001-01-01T00:00:00Z"), PolicyConflict),
        (("rollback", "--reason", "x"), PolicyConflict),
        (("resume", "--reason", "x"), PolicyConflict),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    url: str, arguments: tuple[str, ...], error: type[Exception]
) -> None:
    bob = made("bob", "policy:activate")
    with pytest.raises(error):
        run("policy", *arguments, key=bob)
    assert sql(url, "SELECT FROM policy_activations") == []


def test_keys_without_the_scope_or_of_the_proposer_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('version = "p-1"\n')
    alice, hers = made("alice", "policy:propose"), made("alice", "policy:activate")
    with pytest.raises(BadInput, match="lacks the scope policy:propose"):
        run("policy", "propose", str(file), key=hers)
    with pytest.raises(BadInput, match="the key is unknown; `buyer-tier keys create`"):
        run("policy", "propose", str(file), key="bt_nobody")
    run("policy", "propose", str(file), key=alice)
    with pytest.raises(NotAllowed, match="another must activate it"):
        run("policy", "activate", "p-1", "--reason", "x", key=hers)


def test_a_sweep_under_an_activated_policy_says_nothing_else_on_standard_output(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_text('version = "p-1"\n')
    alice, bob = made("alice", "policy:propose"), made("bob", "policy:activate")
    run("policy", "propose", str(file), key=alice)
    run("policy", "activate", "p-1", "--reason", "x", key=bob)
    assert run("standing", "sweep") == {"shops": 0, "buyers": 0, "transitions": 0}
    assert run("standing", "show", "b")["state"] == "new"


def test_an_act_without_a_reason_in_words_is_refused(url: str) -> None:
    bob = made("bob", "policy:activate")
    with pytest.raises(BadInput, match="the reason must say why"):
        run("policy", "stop", "--reason", " ", key=bob)
    assert sql(url, "SELECT FROM policy_activations") == []


def test_a_sweep_a_look_and_the_proof(url: str) -> None:
    async def told() -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            rows = [event("v", "b", "abuse_confirmed", ASKED_AT - timedelta(days=1))]
            await event_store.append(connection, table(rows))
        await connection.close()

    asyncio.run(told())
    assert run("standing", "sweep") == {"shops": 0, "buyers": 1, "transitions": 1}
    assert run("standing", "sweep") == {"shops": 0, "buyers": 0, "transitions": 0}
    shown = run("standing", "show", "b")
    assert (shown["state"], [t["rule"] for t in shown["history"]]) == ("revoked", ["abuse_confirmed"])
    assert run("standing", "rebuild", "--verify") == {"standings": 1, "differing": []}
    sql(url, "DELETE FROM standings")
    assert run("standing", "rebuild", "--verify", code=1)["differing"][0]["buyer_id"] == "b"
