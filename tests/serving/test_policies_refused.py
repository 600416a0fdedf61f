"""What is wrong with a policy, an act or the key of either, and what to do about it."""

from __future__ import annotations

from typing import Any

import asyncpg
import httpx
import pytest

from serving.store import keys
from tests.serving.policies import POLICIES, TIGHT, WHY, propose
from tests.serving.scenes import NOW


@pytest.mark.parametrize(
    "text", ["", "cap_fen = 1", 'version = "notice"', 'version = "a+stopped"', 'version = "a"\ncap_fnn = 1']
)
async def test_what_is_no_policy_is_refused(client: httpx.AsyncClient, text: str) -> None:
    assert (await propose(client, text)).status_code == 422


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
