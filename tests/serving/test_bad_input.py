from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from serving.store.keys import PREFIX
from tests.serving.conftest import Add, MakeKey
from tests.serving.scenes import ASKED_AT, BASE, event, request

DECISIONS = "/v1/refund-decisions"
MIB = 1 << 20
JSON = {"Content-Type": "application/json"}


def without(name: str) -> dict[str, Any]:
    body = request()
    del (body["order"] if name in body["order"] else body)[name]
    return body


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((without(name), name) for name in BASE if name not in ("requested_at", "reason")),
        *((without(name), f"order.{name}") for name in BASE["order"] if name != "category_id"),
        (request(goods_type="food"), "order.goods_type"),
        (request(shipping_status="lost"), "order.shipping_status"),
        (request(refund_type="cash"), "refund_type"),
        (request(refund_amount_fen=0), "refund_amount_fen"),
        (request(refund_amount_fen=-1), "refund_amount_fen"),
        (request(refund_amount_fen=12900.0), "refund_amount_fen"),
        (request(refund_amount_fen=0.5), "refund_amount_fen"),
        (request(refund_amount_fen="12900"), "refund_amount_fen"),
        (request(refund_amount_fen=True), "refund_amount_fen"),
        (request(refund_amount_fen=None), "refund_amount_fen"),
        (request(refund_amount_fen=12901), "refund_amount_fen"),
        (request(paid_amount_fen=0), "order.paid_amount_fen"),
        (request(paid_amount_fen=10**12 + 1), "order.paid_amount_fen"),
        (request(paid_amount_fen=10**40), "order.paid_amount_fen"),
        (request(requested_at="2026-03-01T12:00:00"), "requested_at"),
        (request(requested_at="2026-03-01"), "requested_at"),
        (request(requested_at="yesterday"), "requested_at"),
        (request(requested_at="1700000000"), "requested_at"),
        (request(requested_at=1700000000), "requested_at"),
        (request(requested_at="0001-01-01T00:00:00+14:00"), "requested_at"),
        (request(requested_at="9999-12-31T23:59:59-14:00"), "requested_at"),
        (request(paid_at="2026-02-30T00:00:00Z"), "order.paid_at"),
        (request(buyer_id=""), "buyer_id"),
        (request(buyer_id="b" * 129), "buyer_id"),
        (request(buyer_id="a\0b"), "buyer_id"),
        (request(buyer_id=7), "buyer_id"),
        (request(reason="\0"), "reason"),
        (request() | {"order": []}, "order"),
        (request() | {"colour": "red"}, "colour"),
        ([], "body"),
        (None, "body"),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_not_repeated(
    client: httpx.AsyncClient, body: Any, field: str
) -> None:
    response = await client.post(DECISIONS, json=body)
    problem = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == 422
    assert [error["field"] for error in problem["errors"]] == [field]
    assert problem["detail"] == f"{field}: {problem['errors'][0]['message']}"


async def test_the_greatest_amount_is_taken(client: httpx.AsyncClient) -> None:
    body = request(paid_amount_fen=10**12, refund_amount_fen=10**12)
    assert (await client.post(DECISIONS, json=body)).status_code == 201


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b'{"a": 01}', b"\xff\xfe", b'{"buyer_id": "\\ud800"}', b"{} {}", b"[" * 100_000],
)
async def test_a_body_that_is_no_json_is_refused_with_the_position(
    client: httpx.AsyncClient, content: bytes
) -> None:
    response = await client.post(DECISIONS, content=content, headers=JSON)
    assert response.status_code == 422
    assert "line 1 column" in response.json()["detail"]


async def chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 65536):
        yield b" " * min(65536, size - start)


@pytest.mark.parametrize(("size", "status"), [(MIB, 422), (MIB + 1, 413), (10 * MIB, 413)])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_body_of_more_than_a_mebibyte_is_too_large(
    client: httpx.AsyncClient, size: int, status: int, streamed: bool
) -> None:
    content = chunks(size) if streamed else b" " * size
    response = await client.post(DECISIONS, content=content, headers=JSON)
    assert response.status_code == status


async def test_a_batch_of_events_may_be_larger_but_not_much(client: httpx.AsyncClient) -> None:
    fits, too_large = b" " * (15 * MIB) + b'{"events":[]}', b" " * (16 * MIB + 1)
    assert (await client.post("/v1/events", content=fits, headers=JSON)).json() == {"results": []}
    assert (await client.post("/v1/events", content=too_large, headers=JSON)).status_code == 413


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "text/plain", None])
async def test_a_body_is_read_as_json_whatever_it_calls_itself(
    client: httpx.AsyncClient, media_type: str | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    good = await client.post(DECISIONS, content=json.dumps(request()), headers=headers)
    broken = await client.post(DECISIONS, content='{"after_sale_id":', headers=headers)
    assert (good.status_code, broken.status_code) == (201, 422)


CALLS = [
    ("POST", DECISIONS, "decide"),
    ("GET", DECISIONS, "decide"),
    ("GET", f"{DECISIONS}/x", "decide"),
    ("GET", "/v1/buyers/b/score", "score:read"),
    ("POST", "/v1/scores", "score:read"),
    ("POST", "/v1/events", "events:write"),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
async def test_every_call_wants_a_valid_key_before_it_looks_at_the_body(
    client: httpx.AsyncClient, make_key: MakeKey, method: str, path: str, scope: str
) -> None:
    others = [s for _, _, s in CALLS if s != scope]
    expired, narrow, right = await make_key(scope, days=0), await make_key(*others), await make_key(scope)
    del client.headers["Authorization"]

    async def status(authorization: str | None) -> int:
        headers = {"Content-Type": b"application/json"}
        if authorization is not None:
            headers["Authorization"] = authorization.encode("latin-1")
        response = await client.request(method, path, headers=headers, content=b"{")
        assert ("www-authenticate" in response.headers) == (response.status_code == 401)
        return response.status_code

    assert await status(None) == 401
    assert await status(f"Basic {right}") == 401
    assert await status(f"Bearer {PREFIX}wrong") == 401
    assert await status("Bearer \xff") == 401
    assert await status(f"Bearer {expired}") == 401
    assert await status(f"Bearer {narrow}") == 403
    assert await status(f"Bearer {right}") in (200, 404, 422)


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nowhere", 404, "there is no such path; GET /openapi.json lists all there are"),
        ("POST", f"{DECISIONS}/", 404, f"did you mean {DECISIONS}?"),
        ("POST", "/refund-decisions", 404, f"did you mean {DECISIONS}?"),
        ("GET", "/v1/buyers/B-77/scores", 404, "did you mean /v1/buyers/{buyer_id}/score?"),
        ("GET", "/v1/" + "x" * 5_000, 404, "there is no such path; GET"),
        ("PUT", DECISIONS, 405, "this path takes GET, POST"),
        ("DELETE", "/v1/policies", 405, "this path takes GET, POST"),
        ("POST", "/v1/buyers/B-77/score", 405, "this path takes GET"),
        ("POST", "/metrics", 405, "this path takes GET"),
        ("POST", "/openapi.json", 405, "this path takes GET, HEAD"),
    ],
)
async def test_unknown_paths_and_methods_are_problems_that_name_what_there_is(
    client: httpx.AsyncClient, method: str, path: str, status: int, said: str
) -> None:
    response = await client.request(method, path)
    problem = response.json()
    assert (response.status_code, problem["status"]) == (status, status)
    assert response.headers["content-type"] == "application/problem+json"
    assert said in problem["detail"]
    assert "B-77" not in problem["detail"], "nothing that was sent is repeated"
    if status == 405:
        assert problem["detail"].endswith(response.headers["allow"])


async def test_the_request_id_is_the_clients_or_a_new_one(client: httpx.AsyncClient) -> None:
    given = await client.get("/nowhere", headers={"X-Request-ID": "abc-1"})
    odd = await client.get("/nowhere", headers={"X-Request-ID": "no good"})
    assert given.headers["x-request-id"] == given.json()["request_id"] == "abc-1"
    assert odd.headers["x-request-id"] != "no good"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/refund-decisions", request(buyer_id="rich", requested_at=None)),
        ("POST", "/v1/refund-decisions?explain=true", request(buyer_id="rich", requested_at=None)),
        ("GET", "/v1/buyers/rich/score", None),
        ("POST", "/v1/scores", {"buyer_ids": ["good", "rich"]}),
    ],
)
async def test_a_history_whose_amounts_overflow_is_refused_without_naming_the_buyer(
    client: httpx.AsyncClient, add: Add, method: str, path: str, body: Any
) -> None:
    paid = {"shop_id": "S-1", "amount_fen": 2**63 - 1}
    await add([event(f"p{n}", "rich", "order_paid", ASKED_AT, order_id=f"R-{n}", **paid) for n in range(2)])
    answer = await client.request(method, path, json=body)
    assert answer.status_code == 422
    assert "event log" in answer.json()["detail"]
    assert "rich" not in answer.text
    good = request(after_sale_id="AS-good", requested_at=None)
    assert (await client.post("/v1/refund-decisions", json=good)).status_code == 201
