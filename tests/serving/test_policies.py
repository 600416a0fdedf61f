from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from serving.app import create_app
from serving.settings import Settings
from serving.store import keys
from serving.store import policies as store
from serving.store.policies import Activation
from serving.timeline import in_force
from tests.serving.conftest import Add, client_of, live
from tests.serving.scenes import NOW, FakeModels, good_history, request

POLICIES, DECISIONS = "/v1/policies", "/v1/refund-decisions"
TIGHT = 'version = "tight-1"\ncap_fen = 12_900\n'
WHY = {"reason": "a test"}


@pytest.fixture
async def boss(url: str, client: httpx.AsyncClient) -> dict[str, str]:
    """Headers of a second person, who may activate."""
    connection = await asyncpg.connect(url)
    key, _ = await keys.create(connection, name="boss", scopes=keys.SCOPES, now=NOW, expires_at=None)
    await connection.close()
    return {"Authorization": f"Bearer {key}"}


async def propose(client: httpx.AsyncClient, text: str = TIGHT) -> httpx.Response:
    return await client.post(POLICIES, json={"text": text})


async def decided(client: httpx.AsyncClient, n: int) -> dict[str, Any]:
    body = request(after_sale_id=f"AS-{n}", order_id=f"O-{n}")
    answer: dict[str, Any] = (await client.post(DECISIONS, json=body)).json()
    return answer


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


@pytest.mark.parametrize(
    "text", ["", "cap_fen = 1", 'version = "notice"', 'version = "a+stopped"', 'version = "a"\ncap_fnn = 1']
)
async def test_what_is_no_policy_is_refused(client: httpx.AsyncClient, text: str) -> None:
    assert (await propose(client, text)).status_code == 422


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


@pytest.fixture
async def two(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> AsyncIterator[list[tuple[FastAPI, httpx.AsyncClient]]]:
    """Two services on one database, each with its own memory."""
    await add(good_history())
    async with AsyncExitStack() as stack:
        apps = [
            create_app(settings, database_url=url, models=FakeModels(), clock=lambda: NOW) for _ in range(2)
        ]
        yield [(app, await stack.enter_async_context(client_of(app, headers))) for app in apps]


async def test_every_worker_stops_within_a_second_and_no_decision_after_it_is_automatic(
    two: list[tuple[FastAPI, httpx.AsyncClient]],
) -> None:
    (_, here), (other, there) = two
    assert (await decided(there, 1))["outcome"] == "auto_refund"
    await asyncio.sleep(0.3)  # until the other listens
    await here.post(f"{POLICIES}/stop", json=WHY)
    assert (await decided(there, 2))["outcome"] == "manual_review"
    begun = time.monotonic()
    await here.post(f"{POLICIES}/resume", json=WHY)
    while other.state.policies.at(NOW).stopped and time.monotonic() < begun + 1:
        await asyncio.sleep(0.01)
    assert not other.state.policies.at(NOW).stopped, "without a decision only the notification can tell"


async def test_a_worker_whose_listening_connection_is_cut_off_still_stops(
    two: list[tuple[FastAPI, httpx.AsyncClient]], url: str
) -> None:
    (_, here), (other, there) = two
    await asyncio.sleep(0.3)  # until both listen
    connection = await asyncpg.connect(url)
    cut = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'buyer-tier' AND query LIKE 'LISTEN%' OR query LIKE '%policy_activations%' "
        "AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    await connection.close()
    assert len(cut) >= 2
    await here.post(f"{POLICIES}/stop", json=WHY)
    assert (await decided(there, 1))["outcome"] == "manual_review", "a decision asks for itself"
    await here.post(f"{POLICIES}/resume", json=WHY)
    begun = time.monotonic()
    while other.state.policies.at(NOW).stopped and time.monotonic() < begun + 1:
        await asyncio.sleep(0.01)
    assert not other.state.policies.at(NOW).stopped, "it listens again"


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


async def test_ten_who_stop_at_once_stop_once(
    app: FastAPI, settings: Settings, url: str, headers: dict[str, str]
) -> None:
    with live(app, settings) as address:
        async with httpx.AsyncClient(base_url=address, headers=headers) as client:
            answers = await asyncio.gather(*(client.post(f"{POLICIES}/stop", json=WHY) for _ in range(10)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 9


def act(
    n: int, action: str, version: str | None = None, starts: int | None = None, made: int | None = None
) -> Activation:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Activation(
        activation_id=n,
        action=action,  # type: ignore[arg-type]
        version=version,
        starts_at=None if starts is None else at + timedelta(minutes=starts),
        made_by="k",
        maker="m",
        made_at=at + timedelta(minutes=n if made is None else made),
        reason="r",
    )


@pytest.mark.parametrize(
    ("acts", "version", "stopped"),
    [
        ([], None, False),
        ([act(1, "activate", "a")], "a", False),
        ([act(1, "activate", "a"), act(2, "activate", "b"), act(3, "rollback")], "a", False),
        ([act(n, "activate", v) for n, v in ((1, "a"), (2, "b"))] + [act(3, "rollback"), act(4, "rollback")],
         None, False),
        ([act(1, "activate", "a", starts=50), act(2, "activate", "b")], "a", False),
        ([act(1, "activate", "a", starts=101), act(2, "activate", "b")], "b", False),
        ([act(1, "activate", "a"), act(2, "activate", None)], None, False),
        ([act(200, "stop")], None, True),
        ([act(1, "stop"), act(2, "resume"), act(3, "activate", "a")], "a", False),
        ([act(1, "stop"), act(2, "resume"), act(3, "stop", made=0)], None, True),
        ([act(1, "activate", "a", made=9), act(2, "activate", "b", made=0)], "b", False),
        ([act(1, "rollback"), act(2, "activate", "a"), act(3, "activate", "a"), act(4, "rollback")], None,
         False),
    ],
)  # fmt: skip
def test_what_is_in_force_follows_from_the_acts(
    acts: list[Activation], version: str | None, stopped: bool
) -> None:
    found = in_force(acts, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=100))
    assert (found.version, found.stopped) == (version, stopped)


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


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("", {"text": 'version = "x"\ncap_fen = = 3\n'}, 422, "text: line 2: not TOML"),
        ("", {"text": "cap_fen = 3\n"}, 422, "text: version is missing; name the policy"),
        ("", {"text": 'version = "a+b"\n'}, 422, "choose another name"),
        ("", {"text": 'version = "notice"\n'}, 422, "is a shipped policy's; choose another name"),
        ("", {"text": TIGHT.replace("12_900", "1")}, 409, "has another content; choose a new version"),
        ("/tigth-1/activation", WHY, 404, "GET /v1/policies lists those there are"),
        ("/tight-1/activation", WHY, 403, "another must activate it, with a key of another name"),
        ("/notice/activation", WHY | {"at": "2020-01-01T00:00:00+08:00"}, 409, "leave the time out to begin"),
        ("/notice/activation", WHY | {"at": "2030-01-01T00:00:00"}, 422, "at: must be an ISO 8601 time with"),
        ("/notice/activation", WHY, 409, "policy notice is in force already"),
        ("/notice/activation", {"reason": " "}, 422, "reason: must say why, in words"),
        ("/rollback", WHY, 409, "there was no other policy before the one in force"),
        ("/resume", WHY, 409, "automatic refunds are not stopped"),
    ],
)
async def test_every_mistake_is_a_problem_that_says_what_to_do(
    client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, said: str
) -> None:
    await propose(client)
    answer = await client.post(POLICIES + path, json=body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert said in answer.json()["detail"]
    assert (await client.get(POLICIES)).json()["activations"] == []


async def test_each_mistake_of_a_text_is_told_apart_with_its_line(client: httpx.AsyncClient) -> None:
    text = 'version = "x"\ncap_fnn = 3\nquality_score_min = 5000\n'
    answer = (await client.post(POLICIES, json={"text": text})).json()
    assert answer["errors"] == [
        {"field": "text", "message": "line 2: cap_fnn is not a setting; did you mean cap_fen?"},
        {"field": "text", "message": 'line 3: quality_score_min is 5000, must be 300 to 900 or "guaranteed"'},
    ]


async def test_a_key_is_refused_with_what_is_wrong_with_it(
    client: httpx.AsyncClient, make_key: Any, url: str
) -> None:
    keyring = {"expired": await make_key("policy:activate", days=-1), "none": "bt_nobody"}
    keyring["revoked"] = await make_key("policy:activate")
    keyring["narrow"] = await make_key("decide")
    connection = await asyncpg.connect(url)
    found = await keys.find(connection, keys.hashed(keyring["revoked"]))
    assert found is not None
    await keys.revoke(connection, found.key_id, NOW)
    await connection.close()
    for name, status, said in (
        ("expired", 401, "expired since 2026-02-28 12:00 UTC; `buyer-tier keys create` makes one"),
        ("revoked", 401, "revoked since 2026-03-01 12:00 UTC"),
        ("none", 401, "the key is unknown"),
        ("narrow", 403, "the key lacks the scope policy:activate; use one that has it"),
    ):
        held = {"Authorization": f"Bearer {keyring[name]}"}
        answer = await client.post(f"{POLICIES}/stop", json=WHY, headers=held)
        assert answer.status_code == status
        assert said in answer.json()["detail"]


@pytest.mark.parametrize("name", ["notice", "notice-2023-09-06", "notice-2023-09-06+stopped"])
async def test_what_is_in_force_can_be_read_by_the_name_that_is_told(
    client: httpx.AsyncClient, name: str
) -> None:
    found = (await client.get(f"{POLICIES}/{name}")).json()
    assert (found["version"], found["settings"]["cap_fen"]) == ("notice-2023-09-06", 30_000)
    assert (found["proposed_by"], found["proposed_at"]) == (None, None)
