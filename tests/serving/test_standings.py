from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from decisions.policy_file import parse
from models.deciding import record
from serving.store.database import Database
from serving.sweeping import sweep, verify
from tests.serving.conftest import Add
from tests.serving.scenes import ASKED_AT, NOW, event
from tests.serving.test_caps import ask, failed, governed

DECISIONS, STANDING = "/v1/refund-decisions", "/v1/buyers/good/standing"
WHY = {"reason": "a test"}
POINTS = """
version = "points-1"
[caps]
fen_per_day = 1_000
[standing]
watch_points = 1
restrict_points = 4
strike_expires_days = 90
[standing.points]
dispute_lost = 4
found_shipped = 1
cap_hit = 1
"""


async def decided(client: httpx.AsyncClient, n: int, fen: int = 100) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.post(DECISIONS, json=ask(n, fen))).json()
    return answer


async def state(client: httpx.AsyncClient) -> str:
    return str((await client.get(STANDING)).json()["state"])


def confirmed(event_id: str = "v1", kind: str = "abuse_confirmed", *, minutes: int = 10) -> dict[str, Any]:
    return event(event_id, "good", kind, ASKED_AT - timedelta(minutes=minutes))


async def rows(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


async def test_nothing_is_written_of_a_buyer_of_whom_nothing_is_heard(
    client: httpx.AsyncClient, url: str
) -> None:
    assert (await decided(client, 1))["buyer"]["standing"] == "eligible"
    assert await rows(url, "SELECT FROM standings") == []
    found = (await client.get(STANDING)).json()
    assert (found["state"], found["history"]) == ("eligible", [])
    assert (await client.get("/v1/buyers/never/standing")).json()["state"] == "new"


async def test_confirmed_abuse_revokes_at_the_next_request_and_its_clearing_restores(
    client: httpx.AsyncClient, add: Add
) -> None:
    await add([confirmed()])
    first = await decided(client, 1)
    assert (first["buyer"]["standing"], failed(first)) == ("revoked", ["standing"])
    assert await state(client) == "revoked"
    await add([confirmed("v2", "abuse_cleared", minutes=5)])
    assert (await decided(client, 2))["outcome"] == "auto_refund"
    shown = (await client.get(STANDING)).json()
    assert (shown["state"], [t["rule"] for t in shown["history"]][:1]) == ("eligible", ["abuse_confirmed"])
    assert "abuse_cleared" in [t["rule"] for t in shown["history"]]


async def test_a_dispute_lost_restricts_where_the_policy_says_so_and_is_told_once(
    app: FastAPI, headers: dict[str, str], client: httpx.AsyncClient, add: Add, url: str
) -> None:
    governed(app, POINTS)
    await add([event("d1", "good", "dispute_closed", ASKED_AT, order_id="O-9", outcome="merchant")])
    answers = [await decided(client, n) for n in (1, 2)]
    assert [a["buyer"]["standing"] for a in answers] == ["restricted", "restricted"]
    strikes = [t for t in (await client.get(STANDING)).json()["history"] if t["rule"] == "strike"]
    assert [(t["evidence"]["reference"], t["policy_version"]) for t in strikes] == [("O-9", "points-1")]


async def test_a_signal_dated_ahead_does_not_let_time_pass(
    app: FastAPI, client: httpx.AsyncClient, add: Add
) -> None:
    """A restriction must not end because somebody's clock is a year ahead."""
    governed(app, POINTS)
    await client.post(f"{STANDING}/restrictions", json=WHY)
    ahead = NOW + timedelta(days=365)
    await add([event("d1", "good", "refund_found_shipped", ahead, order_id="O-9")])
    assert (await decided(client, 1))["buyer"]["standing"] == "restricted"
    shown = (await client.get(STANDING)).json()
    assert shown["state"] == "restricted"
    assert [t["at"] for t in shown["history"] if t["rule"] == "strike"] == [
        "2026-03-01T12:00:01.000000+00:00"
    ]


async def test_a_cap_that_is_hit_warns_from_the_next_decision_on(
    app: FastAPI, client: httpx.AsyncClient
) -> None:
    governed(app, POINTS)
    states = [(await decided(client, n, fen))["buyer"]["standing"] for n, fen in ((1, 1_000), (2, 1), (3, 1))]
    assert states == ["eligible", "eligible", "watch"]


async def test_requests_of_one_group_see_the_standing_that_the_ones_before_made(
    app: FastAPI, client: httpx.AsyncClient, url: str
) -> None:
    governed(app, POINTS)
    await asyncio.gather(*(decided(client, n, 600) for n in range(20)))
    versions = [v for (v,) in await rows(url, "SELECT version FROM standing_transitions ORDER BY version")]
    assert versions == list(range(1, len(versions) + 1))
    assert await state(client) == "watch"


async def test_a_standing_in_which_nothing_changed_is_not_written_again(
    app: FastAPI, client: httpx.AsyncClient, url: str
) -> None:
    governed(app, 'version = "w"\n[standing]\nwatch_below_score = 700.0\n')
    await decided(client, 1)
    before = await rows(url, "SELECT xmin::text, record FROM standings")
    await decided(client, 2)
    assert len(before) == 1
    assert await rows(url, "SELECT xmin::text, record FROM standings") == before


async def test_a_decision_keeps_the_standing_that_it_went_by(client: httpx.AsyncClient, url: str) -> None:
    await decided(client, 1)
    await client.post(f"{STANDING}/revocations", json=WHY)
    await decided(client, 2)
    kept = await rows(url, "SELECT record FROM decisions ORDER BY after_sale_id")
    found = [record.standing_of(one) for (one,) in kept]
    assert [None if one is None else (one.state, one.version) for one in found] == [None, ("revoked", 1)]


async def test_a_person_revokes_and_reinstates(client: httpx.AsyncClient) -> None:
    made = await client.post(f"{STANDING}/revocations", json=WHY)
    assert (made.status_code, made.json()["state"]) == (201, "revoked")
    assert (await decided(client, 1))["buyer"]["standing"] == "revoked"
    again = await client.post(f"{STANDING}/revocations", json=WHY)
    assert (again.status_code, again.json()["type"]) == (409, "urn:buyer-tier:problem:standing-conflict")
    assert (await client.post(f"{STANDING}/reinstatements", json=WHY)).json()["state"] == "probation"
    assert (await decided(client, 2))["outcome"] == "auto_refund"


async def test_an_appeal_that_is_granted_restores_at_once_and_becomes_a_label(
    client: httpx.AsyncClient, add: Add, url: str
) -> None:
    await add([confirmed()])
    await decided(client, 1)
    filed = await client.post("/v1/buyers/good/appeals", json=WHY)
    appeal = filed.json()["appeal"]
    assert (filed.status_code, filed.json()["state"]) == (201, "revoked")
    granted = await client.post(
        f"/v1/appeals/{appeal}/resolution", json={"decision": "granted", "reason": "he was right"}
    )
    assert granted.status_code == 201
    assert [k for (k,) in await rows(url, "SELECT kind FROM events WHERE kind = 'abuse_cleared'")] == [
        "abuse_cleared"
    ]
    assert (await client.get(STANDING)).json()["appeal"] is None
    before = len((await client.get(STANDING)).json()["history"])
    later = ask(2, 100, requested_at=(NOW + timedelta(seconds=1)).isoformat())
    assert (await client.post(DECISIONS, json=later)).json()["outcome"] == "auto_refund"
    rules = [t["rule"] for t in (await client.get(STANDING)).json()["history"]]
    assert rules.count("abuse_cleared") == 0, "the label is not heard of as something new"
    assert len(rules) - before <= 1
    again = await client.post(
        f"/v1/appeals/{appeal}/resolution", json={"decision": "rejected", "reason": "x"}
    )
    assert again.status_code == 409


async def test_scopes_are_kept_apart(client: httpx.AsyncClient, make_key: Any) -> None:
    for scope, path, status in (
        ("decide", STANDING, 403),
        ("standing:read", f"{STANDING}/revocations", 403),
        ("standing:write", "/v1/appeals/x/resolution", 403),
        ("appeals:decide", "/v1/buyers/good/appeals", 403),
        ("appeals:decide", "/v1/appeals/x/resolution", 404),
    ):
        key = {"Authorization": f"Bearer {await make_key(scope)}"}
        body = {"reason": "x"} | ({"decision": "granted"} if "resolution" in path else {})
        answer = await (
            client.get(path, headers=key) if path == STANDING else client.post(path, json=body, headers=key)
        )
        assert answer.status_code == status, (scope, path)


@pytest.mark.parametrize(
    ("tampering", "found"),
    [
        ("SELECT 1", None),
        ("UPDATE standings SET record = replace(convert_from(record, 'UTF8'), 'revoked', 'watch')::bytea",
         "record is"),
        ("ALTER TABLE standing_transitions DISABLE TRIGGER append_only; DELETE FROM standing_transitions "
         "WHERE version = 1; ALTER TABLE standing_transitions ENABLE TRIGGER append_only", "do not follow"),
        ("DELETE FROM standings", "no record"),
    ],
)  # fmt: skip
async def test_standings_are_rebuilt_from_their_transitions_to_the_byte(
    client: httpx.AsyncClient, url: str, tampering: str, found: str | None
) -> None:
    await client.post(f"{STANDING}/revocations", json=WHY)
    await client.post("/v1/buyers/good/appeals", json=WHY)
    connection = await asyncpg.connect(url)
    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        await connection.execute("DELETE FROM standing_transitions")
    await connection.execute(tampering)
    await connection.close()
    database = Database(url, size=1, timeout=5)
    await database.open()
    count, wrong = await verify(database)
    await database.close()
    assert count == 1
    assert [b for b, _ in wrong] == ([] if found is None else ["good"])
    assert found is None or found in wrong[0][1]


async def test_a_sweep_hears_what_no_decision_has_heard_and_ends_terms(
    client: httpx.AsyncClient, add: Add, url: str
) -> None:
    await add([confirmed(), event("d", "other", "dispute_closed", ASKED_AT, outcome="merchant")])
    policy = parse('version = "p"\n[standing]\nrestrict_days = 1\n', source="test")
    await client.post("/v1/buyers/third/standing/restrictions", json=WHY)
    database = Database(url, size=1, timeout=5)
    await database.open()
    swept = await sweep(database, policy=policy, now=NOW, progress=lambda *_: None)
    again = await sweep(database, policy=policy, now=NOW, progress=lambda *_: None)
    later = NOW + timedelta(days=31)
    ended = await sweep(database, policy=policy, now=later, progress=lambda *_: None)
    await database.close()
    assert swept == {"shops": 1, "buyers": 2, "transitions": 1}
    assert again == {"shops": 1, "buyers": 0, "transitions": 0}
    assert ended == {"shops": 0, "buyers": 1, "transitions": 1}
