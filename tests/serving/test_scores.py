from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from features.catalog import CATALOG
from tests.serving.conftest import Add
from tests.serving.scenes import ASKED_AT, event


async def test_the_score_of_a_buyer_with_its_reasons(client: httpx.AsyncClient) -> None:
    response = await client.get("/v1/buyers/good/score")
    reasons = [{"code": "cancellation", "text": {"zh": "取消", "en": "cancellations"}, "contribution": 0.0}]
    assert response.json() == {
        "buyer_id": "good",
        "score": 800.0,
        "p_abuse": 0.01,
        "tier": "quality",
        "reasons": reasons,
        "as_of": "2026-03-01T12:00:01Z",
        "model_version": "7",
        "catalog_version": CATALOG.version,
    }


async def test_the_score_as_of_an_instant_sees_what_was_recorded_before_it(
    client: httpx.AsyncClient, add: Add
) -> None:
    at = ASKED_AT - timedelta(days=9)
    columns = {"order_id": "good-O3", "stage": "before_shipment", "fault": "buyer", "amount_fen": 100}
    await add([event("x", "good", "refund_requested", at, **columns)])
    scores = []
    for moment in (at, at + timedelta(microseconds=1)):
        response = await client.get("/v1/buyers/good/score", params={"as_of": moment.isoformat()})
        scores.append(response.json()["score"])
    assert scores == [800.0, 700.0]


async def test_many_buyers_in_the_order_asked_unknown_ones_as_new(client: httpx.AsyncClient) -> None:
    response = await client.post("/v1/scores", json={"buyer_ids": ["nobody", "good", "nobody"]})
    items = response.json()["items"]
    assert [(item["buyer_id"], item["tier"]) for item in items] == [
        ("nobody", "new"),
        ("good", "quality"),
        ("nobody", "new"),
    ]


async def test_many_buyers_with_accounts_linked_to_others_score_as_each_alone(
    client: httpx.AsyncClient, add: Add
) -> None:
    at = ASKED_AT - timedelta(days=9)
    link = {"link_type": "device", "link_value": "shared"}
    await add([event(f"l-{buyer}", buyer, "identity_linked", at, **link) for buyer in ("good", "peer")])
    alone = (await client.get("/v1/buyers/good/score")).json()
    response = await client.post("/v1/scores", json={"buyer_ids": ["good", "nobody"]})
    assert response.status_code == 200, response.text
    assert response.json()["items"][0] == alone | {"reasons": None}


@pytest.mark.parametrize(("count", "status"), [(0, 422), (1000, 200), (1001, 422)])
async def test_a_thousand_buyers_at_a_time(client: httpx.AsyncClient, count: int, status: int) -> None:
    response = await client.post("/v1/scores", json={"buyer_ids": [f"b{n}" for n in range(count)]})
    assert response.status_code == status


@pytest.mark.parametrize(("path", "field"), [("%00", "buyer_id"), ("b" * 129, "buyer_id")])
async def test_an_impossible_buyer_id_is_named(client: httpx.AsyncClient, path: str, field: str) -> None:
    response = await client.get(f"/v1/buyers/{path}/score")
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]


async def test_a_misspelt_parameter_is_refused_rather_than_left_out(client: httpx.AsyncClient) -> None:
    score = await client.get("/v1/buyers/good/score", params={"as_off": "2026-01-01T00:00:00Z"})
    scores = await client.post("/v1/scores?explian=true", json={"buyer_ids": ["good"]})
    assert [(r.status_code, r.json()["errors"][0]["field"]) for r in (score, scores)] == [
        (422, "as_off"),
        (422, "explian"),
    ]
