from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest

from decisions.engine import decide
from decisions.policy import GUARANTEED, NOTICE
from decisions.request import BuyerEvidence, OrderEvidence
from models.deciding.record import policy_of
from serving.api.schemas import RefundDecisionIn
from serving.app import create_app
from serving.settings import Settings
from serving.store import keys
from tests.serving.conftest import Add, client_of
from tests.serving.deciding import run
from tests.serving.scenes import ASKED_AT, NOW, FakeModels, event, good_history, request

DECISIONS, SCORE = "/v1/refund-decisions", "/v1/buyers/good/score"
CUT_OFF = 695.0
"""Entered at 705 and left below 695: between them lie the 700 points of one cancellation."""


@pytest.fixture
def times() -> Iterator[datetime]:
    return (NOW + timedelta(seconds=n) for n in range(1000))


@asynccontextmanager
async def service(
    settings: Settings, url: str, headers: dict[str, str], times: Iterator[datetime], models: FakeModels
) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(
        settings.model_copy(update={"quality_cut_off": "guaranteed"}),
        database_url=url,
        models=models,
        clock=lambda: next(times),
    )
    async with client_of(app, headers) as client:
        yield client


@pytest.fixture
async def guaranteed(
    settings: Settings, url: str, headers: dict[str, str], times: Iterator[datetime], add: Add
) -> AsyncIterator[httpx.AsyncClient]:
    await add(good_history())
    models = FakeModels(guaranteed_cut_off=CUT_OFF)
    async with service(settings, url, headers, times, models) as client:
        yield client


def cancellation() -> dict[str, Any]:
    """One that a request half a minute later knows of."""
    columns = {"order_id": "good-O3", "stage": "before_shipment", "fault": "buyer", "amount_fen": 100}
    return event("x", "good", "refund_requested", ASKED_AT + timedelta(seconds=30), **columns)


def later(after_sale_id: str, **changes: Any) -> dict[str, Any]:
    return request(
        after_sale_id=after_sale_id,
        order_id=f"O-{after_sale_id}",
        requested_at=(ASKED_AT + timedelta(minutes=1)).isoformat(),
        **changes,
    )


async def test_a_decision_names_the_cut_off_that_the_model_gave_it(guaranteed: httpx.AsyncClient) -> None:
    answer = (await guaranteed.post(DECISIONS, json=request())).json()
    assert answer["policy_version"] == "notice-2023-09-06-guaranteed+guaranteed-695"
    assert answer["outcome"] == "auto_refund"
    assert "quality starts at 705.0" in answer["rules"][-1]["detail"]
    assert (await guaranteed.get("/readyz")).json()["policy_version"] == answer["policy_version"]


async def test_a_quality_user_keeps_the_tier_within_the_hysteresis_and_a_newcomer_does_not_get_it(
    guaranteed: httpx.AsyncClient, add: Add, url: str
) -> None:
    assert (await guaranteed.post(DECISIONS, json=request())).json()["buyer"]["tier"] == "quality"
    new = [row | {"buyer_id": "newcomer", "event_id": f"n-{row['event_id']}"} for row in good_history()]
    same = cancellation() | {"buyer_id": "newcomer", "event_id": "n-x"}
    await add([*new, cancellation(), same])
    kept = (await guaranteed.post(DECISIONS, json=later("AS-2"))).json()
    never = (await guaranteed.post(DECISIONS, json=later("AS-3", buyer_id="newcomer"))).json()
    assert (kept["buyer"]["score"], kept["buyer"]["tier"], kept["outcome"]) == (700, "quality", "auto_refund")
    assert (never["buyer"]["score"], never["buyer"]["tier"]) == (700, "standard")
    rows = await asyncio.to_thread(run, url, "SELECT record FROM decisions ORDER BY decision_id")
    assert [json.loads(row["record"])["previous_tier"] for row in rows] == [None, "quality", None]


async def test_a_score_looks_at_the_decision_made_before_its_instant(
    guaranteed: httpx.AsyncClient, add: Add
) -> None:
    await guaranteed.post(DECISIONS, json=request())
    await add([cancellation()])
    told = (
        await guaranteed.get(SCORE, params={"as_of": (ASKED_AT + timedelta(minutes=1)).isoformat()})
    ).json()
    assert (told["score"], told["tier"]) == (700, "quality")
    both = (await guaranteed.post("/v1/scores", json={"buyer_ids": ["good", "nobody"]})).json()["items"]
    assert [one["tier"] for one in both] == ["quality", "new"]
    decided_at = (await guaranteed.get(DECISIONS)).json()["items"][0]["decided_at"]
    at_once = (await guaranteed.get(SCORE, params={"as_of": decided_at})).json()
    assert at_once["tier"] == "quality"  # by its 800 points: the decision of that very instant is not before


async def test_a_tier_once_lost_is_gained_again_only_at_the_upper_edge(
    settings: Settings, url: str, headers: dict[str, str], times: Iterator[datetime], add: Add
) -> None:
    await add([*good_history(), cancellation()])
    strict, models = FakeModels(guaranteed_cut_off=790.0), FakeModels("8", guaranteed_cut_off=CUT_OFF)
    async with service(settings, url, headers, times, strict) as client:
        assert (await client.post(DECISIONS, json=later("AS-1"))).json()["buyer"]["tier"] == "standard"
    async with service(settings, url, headers, times, models) as client:
        assert (await client.post(DECISIONS, json=later("AS-2"))).json()["buyer"]["tier"] == "standard"


async def test_without_a_proven_cut_off_nobody_is_refunded_at_once_and_it_is_said(
    settings: Settings, url: str, headers: dict[str, str], times: Iterator[datetime], add: Add
) -> None:
    await add(good_history())
    async with service(settings, url, headers, times, FakeModels()) as client:
        answer = (await client.post(DECISIONS, json=request())).json()
    assert (answer["outcome"], answer["buyer"]["tier"]) == ("manual_review", "standard")
    assert answer["policy_version"] == "notice-2023-09-06-guaranteed+guaranteed-none"
    assert "no cut-off is proven" in answer["rules"][-1]["detail"]


async def test_a_decision_can_be_made_again_from_its_record(
    guaranteed: httpx.AsyncClient, add: Add, url: str
) -> None:
    await guaranteed.post(DECISIONS, json=request())
    await add([cancellation()])
    answer = (await guaranteed.post(DECISIONS, json=later("AS-2"))).json()
    (row,) = await asyncio.to_thread(run, url, "SELECT * FROM decisions WHERE after_sale_id = 'AS-2'")
    kept = json.loads(row["record"])
    asked = RefundDecisionIn.model_validate_json(json.dumps(kept["request"])).request(NOW)
    for base in (NOTICE, GUARANTEED):  # whatever the service runs today
        again = decide(
            asked,
            buyer=BuyerEvidence(**kept["buyer_evidence"]),
            order=OrderEvidence(**kept["order_evidence"]),
            policy=policy_of(row["record"], version=row["policy_version"], base=base),
            decided_at=row["decided_at"],
            previous_tier=kept["previous_tier"],
        )
        assert again.tier == answer["buyer"]["tier"] == "quality"
        rules = [{"code": v.code, "passed": v.passed, "detail": v.detail} for v in again.rules]
        assert rules == answer["rules"]


LAX = 'version = "lax-1"\nquality_score_min = 700\nlow_score_max = 600\n'
STRICT = 'version = "strict-1"\nquality_score_min = 705\nlow_score_max = 600\ntier_hysteresis_points = 10\n'


@asynccontextmanager
async def under_policies(
    settings: Settings, url: str, headers: dict[str, str], times: Iterator[datetime]
) -> AsyncIterator[tuple[httpx.AsyncClient, Callable[..., Awaitable[None]]]]:
    """A service with a lax and a strict policy proposed, and how to put an act into force."""
    app = create_app(settings, database_url=url, models=FakeModels(), clock=lambda: next(times))
    async with client_of(app, headers) as client:
        connection = await asyncpg.connect(url)
        key, _ = await keys.create(connection, name="boss", scopes=keys.SCOPES, now=NOW, expires_at=None)
        await connection.close()
        boss = {"Authorization": f"Bearer {key}"}
        for text in (LAX, STRICT):
            assert (await client.post("/v1/policies", json={"text": text})).status_code == 201

        async def act(path: str) -> None:
            done = await client.post(f"/v1/policies/{path}", json={"reason": "a test"}, headers=boss)
            assert done.status_code == 201, done.text

        yield client, act


async def test_a_tier_that_a_laxer_policy_gave_does_not_outlive_it(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add([*good_history(), cancellation()])
    times = (NOW + timedelta(minutes=2, seconds=n) for n in range(100))
    async with under_policies(settings, url, headers, times) as (client, act):
        await act("strict-1/activation")
        await act("lax-1/activation")
        lax = (await client.post(DECISIONS, json=later("AS-1"))).json()
        assert (lax["buyer"]["score"], lax["buyer"]["tier"], lax["outcome"]) == (
            700,
            "quality",
            "auto_refund",
        )
        await act("rollback")
        told = (await client.get(SCORE)).json()
        both = (await client.post("/v1/scores", json={"buyer_ids": ["good", "nobody"]})).json()["items"]
        back = (await client.post(DECISIONS, json=later("AS-2"))).json()
    assert [(one["score"], one["tier"]) for one in (told, both[0])] == [(700, "standard")] * 2
    assert (back["policy_version"], back["buyer"]["tier"]) == ("strict-1", "standard")
    assert back["outcome"] == "manual_review"
    (row,) = await asyncio.to_thread(run, url, "SELECT record FROM decisions WHERE after_sale_id = 'AS-2'")
    assert json.loads(row["record"])["previous_tier"] is None


async def test_the_kill_switch_does_not_make_a_policy_forget_its_tiers(
    settings: Settings, url: str, headers: dict[str, str], times: Iterator[datetime], add: Add
) -> None:
    await add(good_history())
    async with under_policies(settings, url, headers, times) as (client, act):
        await act("strict-1/activation")
        assert (await client.post(DECISIONS, json=request())).json()["buyer"]["tier"] == "quality"
        await add([cancellation()])
        await act("stop")
        stopped = (await client.post(DECISIONS, json=later("AS-2"))).json()
        await act("resume")
        again = (await client.post(DECISIONS, json=later("AS-3"))).json()
    assert (stopped["buyer"]["tier"], stopped["outcome"]) == ("quality", "manual_review")
    assert (again["buyer"]["score"], again["outcome"]) == (700, "auto_refund")
