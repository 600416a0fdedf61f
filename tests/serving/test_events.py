from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.serving.scenes import ASKED_AT, as_json, event, good_history, request

EVENTS = "/v1/events"
AT = ASKED_AT - timedelta(days=1)


def paid(event_id: str, **columns: Any) -> dict[str, Any]:
    row = event(event_id, "b", "order_paid", AT, order_id="o", amount_fen=100)
    return as_json(row) | columns


async def send(client: httpx.AsyncClient, *events: Any) -> list[tuple[str | None, str]]:
    response = await client.post(EVENTS, json={"events": events})
    assert response.status_code == 200, response.text
    return [(result["event_id"], result["status"]) for result in response.json()["results"]]


async def test_events_count_from_the_next_request_on(client: httpx.AsyncClient) -> None:
    before = (await client.get("/v1/buyers/new/score")).json()
    await send(client, *map(as_json, good_history("new")))
    after = (await client.get("/v1/buyers/new/score")).json()
    assert (before["tier"], after["tier"]) == ("new", "quality")


async def test_sending_again_is_a_duplicate_and_other_content_a_rejection(client: httpx.AsyncClient) -> None:
    assert await send(client, paid("1"), paid("2")) == [("1", "accepted"), ("2", "accepted")]
    again = await send(client, paid("1"), paid("2", amount_fen=101), paid("3"))
    assert again == [("1", "duplicate"), ("2", "rejected"), ("3", "accepted")]
    spelt = paid("1", recorded_at=(AT.astimezone()).isoformat())
    assert await send(client, spelt) == [("1", "duplicate")]


async def test_the_same_id_twice_in_one_batch(client: httpx.AsyncClient) -> None:
    sent = await send(
        client, paid("1"), paid("1"), paid("1", amount_fen=5), paid("2", kind="no"), paid("2", kind="no")
    )
    assert [status for _, status in sent] == ["accepted", "duplicate", "rejected", "rejected", "rejected"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (paid("x", kind="order_eaten"), "kind is none of"),
        (paid("x", amount_fen=-1), "amount_fen is negative"),
        (paid("x", amount_fen=1.5), "amount_fen"),
        (paid("x", amount_fen="1"), "amount_fen"),
        (paid("x", amount_fen=10**12 + 1), "amount_fen is above 1000000000000"),
        (paid("x", amount_fen=2**63), "amount_fen"),
        (paid("x", recorded_at="2020-01-01T00:00:00Z"), "recorded_at is before occurred_at"),
        (paid("x", occurred_at="2026-01-01T00:00:00"), "occurred_at"),
        (paid("x", order_id=None), "order_id"),
        (paid("x", colour="red"), "colour"),
        (paid("x", reason="\0"), "reason"),
        (paid("x", goods_type="food"), "goods_type"),
        (paid("x", kind="dispute_closed"), "dispute"),
        (paid("x", kind="identity_linked"), "link_"),
        ({"event_id": "x"}, "buyer_id"),
        ("x", "event"),
        (None, "event"),
    ],
)
async def test_a_bad_event_is_rejected_with_its_reason_and_stops_nothing(
    client: httpx.AsyncClient, bad: Any, reason: str
) -> None:
    response = await client.post(EVENTS, json={"events": [paid("1"), bad, paid("2")]})
    first, rejected, last = response.json()["results"]
    assert (first["status"], rejected["status"], last["status"]) == ("accepted", "rejected", "accepted")
    assert reason in rejected["reason"]
    assert "reason" not in first


@pytest.mark.parametrize(("count", "status"), [(0, 200), (10_000, 200), (10_001, 422)])
async def test_a_batch_holds_ten_thousand_events(client: httpx.AsyncClient, count: int, status: int) -> None:
    response = await client.post(EVENTS, json={"events": [paid(str(n)) for n in range(count)]})
    assert response.status_code == status
    if status == 200:
        assert {result["status"] for result in response.json()["results"]} <= {"accepted"}
        assert len(response.json()["results"]) == count


async def test_two_batches_with_the_same_events_at_once_accept_each_event_once(
    client: httpx.AsyncClient,
) -> None:
    events = [paid(str(n)) for n in range(500)]
    one, two = await asyncio.gather(send(client, *events), send(client, *reversed(events)))
    statuses = [status for _, status in one + two]
    assert (statuses.count("accepted"), statuses.count("duplicate")) == (500, 500)


async def test_what_is_known_of_an_order_counts_from_then_on_whenever_the_request_is_dated(
    client: httpx.AsyncClient,
) -> None:
    first = await client.post("/v1/refund-decisions", json=request())
    late = event("late", "good", "order_shipped", ASKED_AT - timedelta(hours=1), order_id="O-now")
    late["recorded_at"] = ASKED_AT + timedelta(hours=1)
    await send(client, as_json(late))
    second = await client.post(
        "/v1/refund-decisions", json=request(after_sale_id="AS-2", refund_amount_fen=1)
    )
    assert "has the order as shipped" not in first.text
    assert "has the order as shipped" in second.text
