"""A stored decision is made again to the byte, and lies open to whoever asks why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from fastapi import FastAPI

from decisions.policy_file import parse
from features.errors import BadInput
from serving.champion import Champion
from serving.errors import ModelGone
from serving.replaying import Difference, Replayer
from serving.store import decisions as store
from serving.store.decisions import DecisionRow
from tests.serving.conftest import ERASING, Add
from tests.serving.scenes import ASKED_AT, FakeModels, event, request
from tests.serving.test_caps import governed
from tests.serving.test_standings import POINTS, WHY

DECISIONS = "/v1/refund-decisions"
CAPS = """
version = "caps-1"
[caps]
refunds_per_day = 3
fen_per_30_days = 100_000
[open_cases]
one_at_a_time = false
[credit_line]
quality = 50_000
[budgets]
shop_loss_fen_per_7_days = 1_000
[standing]
watch_below_score = 900.0
"""


LINKED = """
version = "linked-1"
[standing]
watch_points = 1
strike_expires_days = 90
[standing.points]
linked_abuse = 5
found_shipped = 5
"""


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url, server_settings=ERASING)
    try:
        yield connection
    finally:
        await connection.close()


async def replayed(url: str, models: Any = None) -> list[tuple[DecisionRow, list[Difference]]]:
    replayer = Replayer(Champion(models or FakeModels(), poll_seconds=60))
    async with connected(url) as connection:
        rows = await connection.fetch(f"{store.SELECT} ORDER BY decision_id")
        return [(one, await replayer.replay(connection, one)) for one in (DecisionRow(**row) for row in rows)]


@pytest.fixture
async def boss(make_key: Any, url: str) -> dict[str, str]:
    """Headers of a second person, who may activate."""
    key = await make_key("policy:activate")
    async with connected(url) as connection:
        await connection.execute("UPDATE api_keys SET name = 'boss' WHERE scopes = '{policy:activate}'")
    return {"Authorization": f"Bearer {key}"}


async def put_in_force(client: httpx.AsyncClient, text: str, boss: dict[str, str]) -> None:
    version = parse(text, source="test").version
    assert (await client.post("/v1/policies", json={"text": text})).status_code == 201
    made = await client.post(f"/v1/policies/{version}/activation", json=WHY, headers=boss)
    assert made.status_code == 201, made.text


async def many_decisions(client: httpx.AsyncClient, add: Add, boss: dict[str, str]) -> None:
    """Decide under four policies: buyers with and without a standing, contradictions, dates, caps."""
    await add([event("v1", "bad", "abuse_confirmed", ASKED_AT)])
    await add([event("s1", "good", "order_shipped", ASKED_AT.replace(day=1, hour=1), order_id="O-shipped")])
    n = 0
    for text in (None, CAPS, POINTS, 'version = "off"\nstopped = true\n'):
        if text is not None:
            await put_in_force(client, text, boss)
        for changes in (
            {"order_id": "O-shipped"},
            {"buyer_id": "bad"},
            {"buyer_id": "never"},
            {"requested_at": None},
            {"requested_at": "2026-03-01T20:00:00.123456+08:00"},
            {"reason": None, "category_id": None},
            {"refund_amount_fen": 900},
            {"refund_amount_fen": 901},
            {"refund_type": "return_and_refund", "shipping_status": "shipped"},
        ):
            n += 1
            body = request(**{"after_sale_id": f"AS-{n}", "order_id": f"O-{n}", **changes})
            assert (await client.post(DECISIONS, json=body)).status_code == 201
    assert (await client.post("/v1/policies/stop", json=WHY, headers=boss)).status_code == 201
    body = request(after_sale_id="AS-stopped", order_id="O-stopped")
    assert (await client.post(DECISIONS, json=body)).json()["policy_version"] == "off+stopped"
    await client.post("/v1/buyers/good/standing/restrictions", json=WHY)
    body = request(after_sale_id="AS-last", order_id="O-last")
    assert (await client.post(DECISIONS, json=body)).json()["buyer"]["standing"] == "restricted"


async def test_every_decision_is_made_again_to_the_byte(
    client: httpx.AsyncClient, add: Add, boss: dict[str, str], url: str
) -> None:
    await many_decisions(client, add, boss)
    found = await replayed(url)
    assert len(found) == 38
    assert {row.after_sale_id: said for row, said in found if said} == {}
    assert {row.standing for row, _ in found} == {"new", "eligible", "watch", "revoked", "restricted"}, {
        r.after_sale_id: (r.standing, r.policy_version) for r, _ in found
    }
    assert {row.outcome for row, _ in found} == {"auto_refund", "manual_review"}


ALTERED: list[tuple[str, Callable[[DecisionRow], dict[str, Any]], str]] = [
    ("outcome", lambda r: {"outcome": "manual_review"}, "outcome"),
    ("score", lambda r: {"score": r.score + 1}, "score"),
    ("request", lambda r: {"record": r.record.replace(b'refund_amount_fen":12900', b'refund_amount_fen":1')},
     "refund_amount_fen"),
    ("evidence", lambda r: {"record": r.record.replace(b'"completed_orders":4', b'"completed_orders":5')},
     "record.buyer_evidence.completed_orders"),
    ("order", lambda r: {"record": r.record.replace(b'"shipped":false', b'"shipped":true')}, "outcome"),
    ("rule", lambda r: {"answer": r.answer.replace(b'"passed":true', b'"passed":false', 1)},
     "answer.rules[0].passed"),
    ("spelling", lambda r: {"answer": r.answer.replace(b'","', b'", "', 1)}, "answer"),
    ("digest", lambda r: {"request_digest": bytes(32)}, "request_digest"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "change", "field"), ALTERED, ids=[one[0] for one in ALTERED])
async def test_what_differs_is_named(
    client: httpx.AsyncClient, url: str, what: str, change: Any, field: str
) -> None:
    await client.post(DECISIONS, json=request())
    async with connected(url) as connection:
        row = DecisionRow(**await connection.fetchrow(store.SELECT))
        for column, value in change(row).items():
            assert value != getattr(row, column)
            await connection.execute(f"UPDATE decisions SET {column} = $1", value)
    ((_, said),) = await replayed(url)
    assert field in [one.field for one in said]


async def test_a_model_that_is_gone_and_a_policy_that_is_not_stored_are_named(
    client: httpx.AsyncClient, app: FastAPI, url: str
) -> None:
    class Gone(FakeModels):
        def load(self, version: str) -> Any:
            raise LookupError(version)

    governed(app, CAPS)
    await client.post(DECISIONS, json=request())
    with pytest.raises(ModelGone, match="model version 7, which made this decision, is no longer"):
        await replayed(url, Gone())
    with pytest.raises(BadInput, match="policy caps-1 of this decision is not stored here"):
        await replayed(url)


async def dossier(client: httpx.AsyncClient, after_sale_id: str) -> dict[str, Any]:
    answer = await client.get(f"{DECISIONS}/{after_sale_id}/dossier")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_dossier_says_why_an_order_was_refunded(
    client: httpx.AsyncClient, app: FastAPI, add: Add
) -> None:
    governed(app, CAPS)
    for n in (1, 2):
        await client.post(DECISIONS, json=request(after_sale_id=f"AS-{n}", order_id=f"O-{n}"))
    found = await dossier(client, "AS-2")
    assert (found["outcome"], found["failed"], found["contradictions"]) == ("auto_refund", [], [])
    assert found["request"]["refund_amount_fen"] == 12900
    assert (found["caps"]["before"]["refunds_day"], found["caps"]["after"]["refunds_day"]) == (1, 2)
    assert (found["caps"]["before"]["fen_30_days"], found["caps"]["after"]["fen_30_days"]) == (12900, 25800)
    values = {one["name"]: one["value"] for one in found["features"]}
    assert values["orders_completed_count_life"] == 4
    assert found["buyer"]["tier_rule"]["quality_score_min"] == 740.0
    assert found["reasons"][0]["code"] == "cancellation"
    assert found["chain"]["holds"]
    assert (found["chain"]["place"], found["propensity"]) == (3, 1.0)  # a standing was kept between
    first = await dossier(client, "AS-1")
    assert (first["chain"]["place"], first["standing"]["changes"]) == (1, [])
    assert [one["rule"] for one in found["standing"]["changes"]] == ["score_low"]


async def test_a_dossier_tells_contradictions_and_the_standing_with_its_evidence(
    client: httpx.AsyncClient, add: Add
) -> None:
    await add([event("v1", "good", "abuse_confirmed", ASKED_AT.replace(hour=1), reason="empty_box")])
    await add([event("s1", "good", "order_shipped", ASKED_AT.replace(hour=1), order_id="O-now")])
    await client.post(DECISIONS, json=request())
    found = await dossier(client, "AS-1")
    assert found["failed"] == ["agrees_with_history", "standing"]
    assert found["contradictions"] == ["the event log has the order as shipped"]
    assert found["standing"]["state"] == "revoked"
    assert [one["evidence"]["reason"] for one in found["standing"]["changes"]] == ["empty_box"]


async def test_a_dossier_names_no_other_buyer(client: httpx.AsyncClient, url: str) -> None:
    from datetime import timedelta

    from decisions.policy import NOTICE
    from decisions.standing import FRESH, Signal
    from decisions.standing_machine import advance
    from serving.store import standings
    from serving.store.standings import Moved

    policy = parse(LINKED, source="test")
    at = ASKED_AT - timedelta(days=1)
    signals = [
        Signal(signal_id="own", kind="found_shipped", at=at, reference="AS-0"),
        Signal(signal_id="secret-event", kind="linked_abuse", at=at, reference="secret-buyer"),
    ]
    standing, changed = advance(FRESH, signals, policy, at)
    async with connected(url) as connection, connection.transaction():
        seen = await connection.fetchval("SELECT pg_current_snapshot()::text")
        await standings.save(connection, [Moved("good", standing, changed, seen)])
    await client.post(DECISIONS, json=request())
    found = await dossier(client, "AS-1")
    assert "secret" not in json.dumps(found)
    references = [one["evidence"].get("reference") for one in found["standing"]["changes"]]
    assert references == ["AS-0", "another account"]
    assert NOTICE.version in found["policy"]["version"]


async def test_only_auditors_read_dossiers_and_an_unknown_one_is_said(
    client: httpx.AsyncClient, make_key: Any
) -> None:
    await client.post(DECISIONS, json=request())
    for scope, status in (("decide", 403), ("standing:read", 403), ("audit:read", 200)):
        key = {"Authorization": f"Bearer {await make_key(scope)}"}
        assert (await client.get(f"{DECISIONS}/AS-1/dossier", headers=key)).status_code == status
    assert (await client.get(f"{DECISIONS}/nobody/dossier")).status_code == 404
    assert (await client.get(f"{DECISIONS}/AS-1/dossier", headers={"Authorization": ""})).status_code == 401


async def test_a_dossier_shows_a_record_that_was_altered(client: httpx.AsyncClient, url: str) -> None:
    await client.post(DECISIONS, json=request())
    async with connected(url) as connection:
        await connection.execute("UPDATE decisions SET refund_amount_fen = 1")
    assert not (await dossier(client, "AS-1"))["chain"]["holds"]


async def test_the_dossier_is_as_documented(client: httpx.AsyncClient) -> None:
    from serving.api.dossiers import DossierOut

    await client.post(DECISIONS, json=request())
    found = await dossier(client, "AS-1")
    read = DossierOut.model_validate_json(msgspec.json.encode(found), strict=False)
    assert set(found) == set(DossierOut.model_fields)
    assert read.chain.holds
    await asyncio.sleep(0)
