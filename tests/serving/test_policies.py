from __future__ import annotations

from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from serving.app import create_app
from serving.settings import Settings
from serving.store import keys
from serving.store import policies as store
from tests.serving.conftest import Add, client_of
from tests.serving.policies import DECISIONS, POLICIES, TIGHT, WHY, decided, propose
from tests.serving.scenes import NOW, FakeModels, request


@pytest.fixture
async def boss(url: str, client: httpx.AsyncClient) -> dict[str, str]:
    """Headers of a second person, who may activate."""
    connection = await asyncpg.connect(url)
    key, _ = await keys.create(connection, name="boss", scopes=keys.SCOPES, now=NOW, expires_at=None)
    await connection.close()
    return {"Authorization": f"Bearer {key}"}


async def test_without_a_proposal_the_notice_decides(client: httpx.AsyncClient) -> None:
    assert (await decided(client, 1))["policy_version"] == "notice-2023-09-06"
    assert (await client.get(POLICIES)).json() == {
        "in_force": "notice-2023-09-06",
        "stopped": False,
        "items": [],
        "activations": [],
    }


async def test_a_policy_decides_from_the_activation_by_another_key_on(
    client: httpx.AsyncClient, boss: dict[str, str]
) -> None:
    assert (await propose(client)).status_code == 201
    assert (await decided(client, 1))["outcome"] == "auto_refund"
    own = await client.post(f"{POLICIES}/tight-1/activation", json=WHY)
    assert (own.status_code, own.json()["type"]) == (403, "urn:buyer-tier:problem:not-allowed")
    assert (await decided(client, 2))["outcome"] == "auto_refund"
    made = await client.post(f"{POLICIES}/tight-1/activation", json=WHY, headers=boss)
    assert (made.status_code, made.json()["made_by"]) == (201, "boss")
    after = await decided(client, 3)
    assert (after["outcome"], after["policy_version"]) == ("manual_review", "tight-1")


async def test_whoever_proposed_may_not_activate_with_a_second_key_of_the_same_name(
    client: httpx.AsyncClient, make_key: Any
) -> None:
    await propose(client)
    second = {"Authorization": f"Bearer {await make_key('policy:activate')}"}
    refused = await client.post(f"{POLICIES}/tight-1/activation", json=WHY, headers=second)
    assert refused.status_code == 403


async def test_a_version_names_one_content_for_ever(client: httpx.AsyncClient) -> None:
    first, again = await propose(client), await propose(client, f"# comment\n{TIGHT}")
    other = await propose(client, 'version = "tight-1"\n')
    assert [a.status_code for a in (first, again, other)] == [201, 200, 409]
    assert again.json() == first.json()
    stored = await client.get(f"{POLICIES}/tight-1")
    assert stored.json() == first.json()


async def test_the_kill_switch_stops_and_a_rollback_goes_back(
    client: httpx.AsyncClient, boss: dict[str, str]
) -> None:
    stopped = await client.post(f"{POLICIES}/stop", json=WHY)
    assert stopped.status_code == 201
    answer = await decided(client, 1)
    assert answer["policy_version"] == "notice-2023-09-06+stopped"
    assert [r["code"] for r in answer["rules"] if not r["passed"]] == ["kill_switch"]
    assert (await client.post(f"{POLICIES}/stop", json=WHY)).status_code == 409
    await propose(client)
    await client.post(f"{POLICIES}/tight-1/activation", json=WHY, headers=boss)
    assert (await decided(client, 2))["policy_version"] == "tight-1+stopped"
    await client.post(f"{POLICIES}/resume", json=WHY)
    assert (await decided(client, 3))["policy_version"] == "tight-1"
    assert (await client.post(f"{POLICIES}/rollback", json=WHY)).json()["version"] == "notice"
    assert (await decided(client, 4))["policy_version"] == "notice-2023-09-06"
    nothing = await client.post(f"{POLICIES}/rollback", json=WHY)
    assert (nothing.status_code, nothing.json()["type"]) == (409, "urn:buyer-tier:problem:policy-conflict")


async def test_a_scheduled_policy_begins_at_its_instant(
    settings: Settings, url: str, headers: dict[str, str], boss: dict[str, str], add: Add
) -> None:
    clock = [NOW]
    app = create_app(settings, database_url=url, models=FakeModels(), clock=lambda: clock[0])
    starts = NOW + timedelta(hours=1)
    async with client_of(app, headers) as client:
        await propose(client)
        sent = {"at": starts.isoformat(), **WHY}
        made = await client.post(f"{POLICIES}/tight-1/activation", json=sent, headers=boss)
        assert made.status_code == 201
        past = {"at": NOW.isoformat(), **WHY}
        assert (
            await client.post(f"{POLICIES}/tight-1/activation", json=past, headers=boss)
        ).status_code == 409
        versions = []
        for n, at in enumerate((NOW, starts - timedelta(microseconds=1), starts)):
            clock[0] = at
            versions.append((await decided(client, n))["policy_version"])
    assert versions == ["notice-2023-09-06", "notice-2023-09-06", "tight-1"]


async def test_scopes_are_kept_apart(client: httpx.AsyncClient, make_key: Any) -> None:
    async def status(scope: str, path: str, body: dict[str, Any]) -> int:
        headers = {"Authorization": f"Bearer {await make_key(scope)}"}
        return (await client.post(f"{POLICIES}{path}", json=body, headers=headers)).status_code

    assert await status("policy:activate", "", {"text": TIGHT}) == 403
    assert await status("decide", "", {"text": TIGHT}) == 403
    assert await status("policy:propose", "/stop", WHY) == 403
    assert await status("policy:propose", "/tight-1/activation", WHY) == 403
    assert await status("policy:activate", "/tight-1/activation", WHY) == 404


async def test_a_stored_policy_that_this_release_cannot_read_stops_decisions_and_is_said(
    client: httpx.AsyncClient, url: str
) -> None:
    connection = await asyncpg.connect(url)
    _, key = await keys.create(connection, name="n", scopes=(), now=NOW, expires_at=None)
    async with connection.transaction():
        text = 'version = "next-1"\nunheard_of = 1\n'
        await store.add(connection, version="next-1", content_id="c", text=text, key=key)
        await store.act(connection, "activate", version="next-1", key=key, reason="r")
    await connection.close()
    answer = await client.post(DECISIONS, json=request())
    assert (answer.status_code, "next-1" in answer.json()["detail"]) == (503, True)
    ready = await client.get("/readyz")
    assert (ready.status_code, "next-1" in ready.text) == (503, True)


async def test_what_was_written_is_never_changed(client: httpx.AsyncClient, url: str) -> None:
    await propose(client)
    await client.post(f"{POLICIES}/stop", json=WHY)
    connection = await asyncpg.connect(url)
    for statement in (
        "UPDATE policies SET text = ''",
        "DELETE FROM policies",
        "UPDATE policy_activations SET action = 'resume'",
        "DELETE FROM policy_activations",
        "TRUNCATE policies CASCADE",
        "TRUNCATE policy_activations",
    ):
        with pytest.raises(asyncpg.RaiseError, match="never changed"):
            await connection.execute(statement)
    await connection.close()


async def test_a_scheduled_policy_is_called_off_by_scheduling_the_present_one_for_the_same_instant(
    client: httpx.AsyncClient, app: FastAPI, boss: dict[str, str]
) -> None:
    await propose(client)
    at = {"at": (NOW + timedelta(hours=1)).isoformat(), **WHY}
    for version in ("tight-1", "notice"):
        made = await client.post(f"{POLICIES}/{version}/activation", json=at, headers=boss)
        assert made.status_code == 201
    app.state.policies.epoch = None
    await client.get(POLICIES)
    assert app.state.policies.at(NOW + timedelta(hours=1)).version == "notice-2023-09-06"


@pytest.mark.parametrize("name", ["notice", "notice-2023-09-06", "notice-2023-09-06+stopped"])
async def test_what_is_in_force_can_be_read_by_the_name_that_is_told(
    client: httpx.AsyncClient, name: str
) -> None:
    found = (await client.get(f"{POLICIES}/{name}")).json()
    assert (found["version"], found["settings"]["cap_fen"]) == ("notice-2023-09-06", 30_000)
    assert (found["proposed_by"], found["proposed_at"]) == (None, None)
