from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from serving.app import create_app
from serving.settings import Settings
from tests.serving.conftest import Add, client_of, live
from tests.serving.scenes import NOW, FakeModels, good_history, request

DECISIONS = "/v1/refund-decisions"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


async def test_the_same_request_gets_the_stored_bytes_again(client: httpx.AsyncClient) -> None:
    first = await client.post(DECISIONS, json=request())
    again = await client.post(DECISIONS, json=request())
    assert (first.status_code, again.status_code) == (201, 200)
    assert "idempotent-replay" not in first.headers
    assert again.headers["idempotent-replay"] == "true"
    assert again.content == first.content


def spaced(body: dict[str, Any]) -> str:
    return json.dumps(dict(reversed(body.items())), indent=2)


@pytest.mark.parametrize(
    ("spelling", "status"),
    [
        (spaced(request()), 200),
        (json.dumps(request(requested_at="2026-03-01T20:00:00+08:00")), 200),
        (json.dumps(request(requested_at="2026-03-01T12:00:00.000Z")), 200),
        (json.dumps(request(requested_at="2026-03-01T12:00:00.001Z")), 409),
        (json.dumps(request(refund_amount_fen=12899)), 409),
        (json.dumps(request(shop_id="S-2")), 409),
        (json.dumps(request(reason=None)), 409),
        (json.dumps(request(requested_at=None)), 409),
    ],
)
async def test_the_meaning_of_a_request_counts_and_not_its_spelling(
    client: httpx.AsyncClient, spelling: str, status: int
) -> None:
    first = await client.post(DECISIONS, json=request())
    again = await client.post(DECISIONS, content=spelling, headers={"Content-Type": "application/json"})
    assert again.status_code == status
    if status == 409:
        assert again.json()["type"] == "urn:buyer-tier:problem:after-sale-conflict"
        assert (await client.get(first.headers["location"])).json()["outcome"] == "auto_refund"


async def test_a_request_without_a_date_can_be_retried_later(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    ticks = iter(range(100))
    app = create_app(
        settings, database_url=url, models=FakeModels(), clock=lambda: NOW + timedelta(minutes=next(ticks))
    )
    body = request()
    del body["requested_at"]
    async with client_of(app, headers) as client:
        first = await client.post(DECISIONS, json=body)
        again = await client.post(DECISIONS, json=body)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content


async def test_a_retry_after_a_restart_and_under_another_model_gets_the_same_bytes(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    models, answers = FakeModels(), []
    for version in ("7", "8"):
        models.version = version
        app = create_app(settings, database_url=url, models=models, clock=lambda: NOW)
        async with client_of(app, headers) as client:
            posted = await client.post(DECISIONS, json=request())
            read = await client.get(posted.headers["location"])
            answers.append((posted.content, read.content))
    assert answers[0] == answers[1]


async def test_a_stored_answer_is_given_again_while_there_is_no_model(
    settings: Settings, url: str, headers: dict[str, str], add: Add, client: httpx.AsyncClient
) -> None:
    first = await client.post(DECISIONS, json=request())
    app = create_app(settings, database_url=url, models=FakeModels(version=None), clock=lambda: NOW)
    async with client_of(app, headers) as bare:
        again = await bare.post(DECISIONS, json=request())
        other = await bare.post(DECISIONS, json=request(after_sale_id="AS-2"))
    assert (again.status_code, again.content) == (200, first.content)
    assert other.status_code == 503


async def rows(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM decisions"))
    finally:
        await connection.close()


async def at_once(
    address: str, headers: dict[str, str], bodies: list[dict[str, Any]]
) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=len(bodies))
    async with httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=30) as client:
        return await asyncio.gather(*(client.post(DECISIONS, json=body) for body in bodies))


async def test_fifty_identical_requests_at_once_make_one_decision(
    app: FastAPI, settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    with live(app, settings) as address:
        answers = await at_once(address, headers, [request()] * 50)
    assert Counter(a.status_code for a in answers) == {201: 1, 200: 49}
    assert sum("idempotent-replay" in a.headers for a in answers) == 49
    assert len({a.content for a in answers}) == 1
    assert await rows(url) == 1


async def test_of_twenty_after_sales_for_one_order_at_once_one_is_refunded(
    app: FastAPI, settings: Settings, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    with live(app, settings) as address:
        answers = await at_once(address, headers, [request(after_sale_id=f"AS-{n}") for n in range(20)])
    assert Counter(a.json()["outcome"] for a in answers) == {"auto_refund": 1, "manual_review": 19}


async def test_one_id_for_many_buyers_at_once_is_decided_for_one(
    app: FastAPI, settings: Settings, url: str, headers: dict[str, str]
) -> None:
    bodies = [request(buyer_id=f"B-{n}", order_id=f"O-{n}") for n in range(20)]
    with live(app, settings) as address:
        answers = await at_once(address, headers, bodies)
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 19}
    assert await rows(url) == 1


async def test_two_services_refund_an_order_once_whatever_isolation_the_database_defaults_to(
    app: FastAPI, settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    other = create_app(settings, database_url=url, models=FakeModels(), clock=lambda: NOW)
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER DATABASE postgres SET default_transaction_isolation = 'repeatable read'")
    try:
        async with client_of(app, headers) as one, client_of(other, headers) as two:
            await connection.execute("SELECT pg_advisory_lock(2, hashtext('O-now'))")
            asked = [
                asyncio.create_task(client.post(DECISIONS, json=request(after_sale_id=f"AS-{n}")))
                for n, client in enumerate((one, two))
            ]
            while await connection.fetchval(WAITING) < 2:
                await asyncio.sleep(0.01)
            await connection.execute("SELECT pg_advisory_unlock_all()")
            answers = await asyncio.gather(*asked)
    finally:
        await connection.execute("ALTER DATABASE postgres RESET default_transaction_isolation")
        await connection.close()
    assert Counter(a.json()["outcome"] for a in answers) == {"auto_refund": 1, "manual_review": 1}
