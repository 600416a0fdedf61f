from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from decisions.policy import NOTICE
from features.catalog import CATALOG, REASONS
from models.buyer_score import BuyerScore
from serving.app import create_app
from serving.policies import Policies
from serving.settings import Settings
from tests.serving.conftest import Add, MakeKey
from tests.serving.scenes import ASKED_AT, NOW, event, good_history, paying, request
from tests.serving.test_real_score import Fitted, score

__all__ = ["score"]
DECISIONS = "/v1/refund-decisions"


class Models(Fitted):
    """A registry from which a version may be deleted."""

    gone = False

    def load(self, version: str) -> Any:
        if self.gone:
            raise LookupError(version)
        return super().load(version)


@pytest.fixture
def models(score: BuyerScore) -> Models:
    return Models(score)


@pytest.fixture
def app(settings: Settings, url: str, models: Models) -> FastAPI:
    return create_app(settings, database_url=url, models=models, clock=lambda: NOW)


def cancellations(n: int) -> list[dict[str, Any]]:
    rows = []
    for i in range(n):
        at, columns = ASKED_AT - timedelta(days=20 - i), {"order_id": f"c{i}", "shop_id": "S-9"}
        rows.append(event(f"c{i}-p", "good", "order_paid", at, amount_fen=28_000, **columns))
        why = columns | {"stage": "before_shipment", "fault": "buyer", "amount_fen": 28_000}
        rows.append(event(f"c{i}-r", "good", "refund_requested", at + timedelta(minutes=9), **why))
    return rows


async def explained(client: httpx.AsyncClient, audience: str, **changes: Any) -> tuple[Any, Any]:
    made = (await client.post(DECISIONS, json=request(**changes))).json()
    answer = await client.get(f"{DECISIONS}/{made['decision_id']}/explanation", params={"for": audience})
    assert answer.status_code == 200, answer.text
    return made, answer.json()


async def test_the_operator_sees_figures_that_add_up_to_the_decisions_points(
    client: httpx.AsyncClient, add: Add
) -> None:
    await add(cancellations(4))
    made, told = await explained(client, "operator")
    total = told["base"] + sum(reason["contribution"] for reason in told["reasons"])
    assert total == pytest.approx(told["margin"], abs=1e-6)
    by_feature = sum(f["contribution"] for reason in told["reasons"] for f in reason["features"])
    assert told["base"] + by_feature == pytest.approx(told["margin"], abs=1e-6)
    assert (told["points"], told["tier"]) == (made["buyer"]["score"], made["buyer"]["tier"])
    assert told["rules"] == made["rules"]
    assert told["history_as_decided"] is True
    values = {f["name"]: f["value"] for reason in told["reasons"] for f in reason["features"]}
    assert values["cancellations_count_life"] == 4.0


async def test_the_operator_hears_what_would_have_to_be_different_as_of_the_request(
    client: httpx.AsyncClient, add: Add, app: FastAPI
) -> None:
    await add(cancellations(4))
    app.state.service.policies = Policies(replace(NOTICE, quality_score_min=660.0, low_score_max=560.0))
    made, told = await explained(client, "operator")
    assert made["buyer"]["tier"] != "quality"
    (fewer,) = [one for one in told["would_be_quality"] if one["change"] == "fewer_cancellations"]
    assert 1 <= fewer["amount"] <= 4
    assert fewer["points"] >= told["quality_score_min"] == 660.0  # the record has it
    await add([event("late", "good", "order_paid", ASKED_AT, order_id="later", amount_fen=1)])
    path = f"{DECISIONS}/{made['decision_id']}/explanation?for=operator"
    assert (await client.get(path)).json() == told  # what was recorded afterwards explains nothing
    early = ASKED_AT - timedelta(days=1)
    await add([event("arrived-late", "good", "order_paid", early, order_id="missed", amount_fen=5000)])
    changed = (await client.get(path)).json()
    assert changed["history_as_decided"] is False
    assert changed["reasons"] == told["reasons"]


PRIVATE = ("score", "points", "tier", "abuse", "good", *REASONS, *CATALOG.names)


@pytest.mark.parametrize("body", [{}, {"order_id": "O-2", "shipping_status": "shipped"}, {"buyer_id": "x"}])
@pytest.mark.parametrize("n", [0, 4])
async def test_the_merchant_hears_nothing_private(
    client: httpx.AsyncClient, add: Add, body: dict[str, Any], n: int
) -> None:
    await add(cancellations(n) if n else good_history("other"))
    made, told = await explained(client, "merchant", **body)
    assert set(told) == {"decision_id", "after_sale_id", "for", "outcome", "message", "because"}
    assert told["message"] == made["message"]
    said = json.dumps([told["message"], told["because"]], ensure_ascii=False).lower()
    assert not re.search(r"\d", said)
    assert not [w for w in (*PRIVATE, "cancel", "历史", "取消", "违规") if w in said.replace("goods", "")]


async def test_the_buyer_hears_what_counts_and_what_would_change_it_without_inner_names(
    client: httpx.AsyncClient, add: Add
) -> None:
    await add(cancellations(4))
    links = {"link_type": "device", "link_value": "d1"}
    peer = event("l2", "peer", "identity_linked", ASKED_AT - timedelta(days=8), **links)
    await add([event("l1", "good", "identity_linked", ASKED_AT - timedelta(days=9), **links), peer])
    _, told = await explained(client, "buyer")
    assert set(told) == {
        *("decision_id", "after_sale_id", "for", "outcome", "message", "because", "summary", "reasons"),
    }
    assert any(not reason["helps"] and reason["change"] for reason in told["reasons"])
    assert all(set(reason) == {"helps", "what", "change"} for reason in told["reasons"])
    said = json.dumps([told["reasons"], told["summary"], told["because"]], ensure_ascii=False)
    assert not re.search(r"\d|peer|device|score|points|links|设备", said)


async def test_the_buyer_hears_which_fact_of_the_order_was_in_the_way(client: httpx.AsyncClient) -> None:
    made = (await client.post(DECISIONS, json=paying(30_000))).json()
    path = f"{DECISIONS}/{made['decision_id']}/explanation?for=buyer"
    (because,) = (await client.get(path)).json()["because"]
    assert because == {"zh": "订单实付金额达到上限。", "en": "The paid amount reaches the limit."}


async def test_the_after_sales_id_will_do_and_an_unknown_one_is_not_found(client: httpx.AsyncClient) -> None:
    made = (await client.post(DECISIONS, json=request())).json()
    found = await client.get(f"{DECISIONS}/AS-1/explanation?for=merchant")
    assert found.json()["decision_id"] == made["decision_id"]
    assert (await client.get(f"{DECISIONS}/nothing/explanation?for=merchant")).status_code == 404


@pytest.mark.parametrize("query", ["", "?for=everybody", "?for=buyer&explain=true"])
async def test_who_asks_must_be_said(client: httpx.AsyncClient, query: str) -> None:
    await client.post(DECISIONS, json=request())
    answer = await client.get(f"{DECISIONS}/AS-1/explanation{query}")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


async def test_a_key_without_the_scope_hears_nothing(client: httpx.AsyncClient, make_key: MakeKey) -> None:
    await client.post(DECISIONS, json=request())
    other = {"Authorization": f"Bearer {await make_key('score:read')}"}
    path = f"{DECISIONS}/AS-1/explanation?for=operator"
    assert (await client.get(path, headers=other)).status_code == 403


async def test_with_the_model_deleted_only_the_merchant_can_be_told(
    client: httpx.AsyncClient, models: Models, app: FastAPI
) -> None:
    await client.post(DECISIONS, json=request())
    models.gone = True
    app.state.champion._loaded.clear()
    gone = await client.get(f"{DECISIONS}/AS-1/explanation?for=buyer")
    assert (gone.status_code, gone.json()["type"]) == (410, "urn:buyer-tier:problem:gone")
    assert "version 7" in gone.json()["detail"]
    assert (await client.get(f"{DECISIONS}/AS-1/explanation?for=merchant")).status_code == 200
