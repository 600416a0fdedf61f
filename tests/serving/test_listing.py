from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from serving.app import create_app
from serving.settings import Settings
from tests.serving.scenes import NOW, FakeModels, request

DECISIONS = "/v1/refund-decisions"


@pytest.fixture
def app(settings: Settings, url: str) -> FastAPI:
    """A service whose clock moves a second with every look at it."""
    seconds = iter(range(10_000))
    return create_app(
        settings, database_url=url, models=FakeModels(), clock=lambda: NOW + timedelta(seconds=next(seconds))
    )


async def decide(client: httpx.AsyncClient, n: int) -> dict[str, Any]:
    body = request(after_sale_id=f"AS-{n}", buyer_id=f"B-{n % 2}", shop_id=f"S-{n % 3}", order_id=f"O-{n}")
    answer: dict[str, Any] = (await client.post(DECISIONS, json=body)).json()
    return answer


async def ids(client: httpx.AsyncClient, **query: Any) -> list[str]:
    response = await client.get(DECISIONS, params=query)
    assert response.status_code == 200, response.text
    return [item["after_sale_id"] for item in response.json()["items"]]


async def test_pages_neither_repeat_nor_skip_while_decisions_are_made(client: httpx.AsyncClient) -> None:
    for n in range(7):
        await decide(client, n)
    seen, cursor, fresh = [], None, 100
    while True:
        page = (
            await client.get(DECISIONS, params={"limit": 3} | ({"cursor": cursor} if cursor else {}))
        ).json()
        seen += [item["after_sale_id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
        await decide(client, fresh := fresh + 1)
    assert seen == [f"AS-{n}" for n in range(6, -1, -1)]


async def test_filters_are_all_applied(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answers = [await decide(client, n) for n in range(6)]
    await client.post(DECISIONS, json=request(after_sale_id="AS-good"))
    start, end = answers[2]["decided_at"], answers[4]["decided_at"]
    assert await ids(client, buyer_id="B-1") == ["AS-5", "AS-3", "AS-1"]
    assert await ids(client, shop_id="S-2") == ["AS-5", "AS-2"]
    assert await ids(client, buyer_id="B-1", shop_id="S-2") == ["AS-5"]
    assert await ids(client, outcome="auto_refund") == ["AS-good"]
    assert await ids(client, **{"from": start, "to": end}) == ["AS-3", "AS-2"]
    assert await ids(client, buyer_id="nobody") == []


async def test_an_item_of_a_list_is_what_reading_it_gives(client: httpx.AsyncClient) -> None:
    made = await decide(client, 1)
    read = (await client.get(f"{DECISIONS}/{made['decision_id']}")).json()
    assert (await client.get(DECISIONS)).json()["items"] == [read]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 201}, "limit"),
        ({"outcome": "denied"}, "outcome"),
        ({"from": "yesterday"}, "from"),
        ({"to": "2026-03-01T00:00:00"}, "to"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"byer_id": "x"}, "byer_id"),
        ({"buyer_id": "\0"}, "buyer_id"),
    ],
)
async def test_a_wrong_filter_is_named(client: httpx.AsyncClient, query: dict[str, Any], field: str) -> None:
    response = await client.get(DECISIONS, params=query)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
