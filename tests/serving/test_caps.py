from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from decisions.caps import Fact
from decisions.policy_file import parse
from models.deciding import record
from serving.api.schemas import RefundDecisionIn
from serving.app import create_app
from serving.champion import Champion
from serving.policies import Policies
from serving.service import DecisionService
from serving.settings import Settings
from serving.store import events as event_store
from serving.store.database import Database
from tests.decisions.test_usage import slow_usage
from tests.serving.conftest import Add, client_of, live
from tests.serving.scenes import ASKED_AT, NOW, FakeModels, event, good_history, request, table

DECISIONS = "/v1/refund-decisions"
CAPS = """
version = "caps-1"
[caps]
refunds_per_day = 9
fen_per_day = 50_000
[credit_line]
quality = 60_000
"""


def governed(app: FastAPI, text: str) -> FastAPI:
    """Let a policy be the shipped one of a service."""
    app.state.policies.shipped = parse(text, source="test")
    return app


def ask(n: int, fen: int, **changes: Any) -> dict[str, Any]:
    amounts = {"paid_amount_fen": fen, "refund_amount_fen": fen}
    return request(after_sale_id=f"AS-{n}", order_id=f"O-{n}", **(amounts | changes))


def failed(answer: dict[str, Any]) -> list[str]:
    return [rule["code"] for rule in answer["rules"] if not rule["passed"]]


async def test_two_hundred_clients_at_two_services_do_not_pass_a_cap_by_one_fen(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    text = 'version = "c"\n[caps]\nfen_per_day = 100_003\n'
    apps = [
        governed(create_app(settings, database_url=url, models=FakeModels(), clock=lambda: NOW), text)
        for _ in range(2)
    ]
    bodies = [ask(n, 1_001 + 37 * n % 4_999) for n in range(200)]
    with live(apps[0], settings) as first, live(apps[1], settings) as second:
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(headers=headers, limits=limits, timeout=60) as client:
            answers = await asyncio.gather(
                *(
                    client.post(f"{(first, second)[n % 2]}{DECISIONS}", json=body)
                    for n, body in enumerate(bodies)
                )
            )
    assert {a.status_code for a in answers} == {201}
    outcomes = [a.json()["outcome"] for a in answers]
    granted = sum(b["refund_amount_fen"] for b, o in zip(bodies, outcomes, strict=True) if o == "auto_refund")
    left = [b["refund_amount_fen"] for b, o in zip(bodies, outcomes, strict=True) if o != "auto_refund"]
    assert granted <= 100_003
    assert granted + min(left) > 100_003, "whoever was held would have passed the cap"
    assert {code for a in answers for code in failed(a.json())} == {"caps"}


async def test_a_cap_is_reached_exactly_and_not_passed(
    app: FastAPI, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    governed(app, 'version = "c"\n[caps]\nfen_per_7_days = 10_000\n')
    async with client_of(app, headers) as client:
        answers = [
            (await client.post(DECISIONS, json=ask(n, fen))).json() for n, fen in enumerate((9_999, 2, 1, 1))
        ]
    assert [a["outcome"] for a in answers] == ["auto_refund", "manual_review", "auto_refund", "manual_review"]
    assert failed(answers[1]) == ["caps"]


async def test_a_second_case_waits_until_the_first_is_closed(
    app: FastAPI, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    governed(app, 'version = "c"\n[open_cases]\none_at_a_time = true\n')
    async with client_of(app, headers) as client:
        first = (await client.post(DECISIONS, json=ask(1, 100))).json()
        second = (await client.post(DECISIONS, json=ask(2, 100))).json()
        closed = {"after_sale_id": "AS-1", "order_id": "O-1", "amount_fen": 100}
        await add([event("e1", "good", "refund_granted", ASKED_AT, **closed)])
        await add([event("e2", "good", "refund_rejected", ASKED_AT, **closed | {"after_sale_id": "AS-2"})])
        third = (await client.post(DECISIONS, json=ask(3, 100))).json()
    assert [a["outcome"] for a in (first, second, third)] == ["auto_refund", "manual_review", "auto_refund"]
    assert failed(second) == ["open_case"]


async def test_the_credit_line_refills_when_a_refund_settles(
    app: FastAPI, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    governed(app, 'version = "c"\n[credit_line]\nquality = 1_000\n')
    async with client_of(app, headers) as client:
        answers = [(await client.post(DECISIONS, json=ask(n, 600))).json() for n in (1, 2)]
        paid = {"after_sale_id": "AS-1", "order_id": "O-1", "amount_fen": 600}
        await add([event("e1", "good", "refund_granted", ASKED_AT, **paid)])
        answers.append((await client.post(DECISIONS, json=ask(3, 600))).json())
    assert [failed(a) for a in answers] == [[], ["credit_line"], []]


@pytest.mark.parametrize(
    ("setting", "shop_2", "shop_1"),
    [
        ("shop_loss_fen_per_day = 700", "auto_refund", "manual_review"),
        ("shop_loss_fen_per_day = 701", "auto_refund", "auto_refund"),
        ("platform_loss_fen_per_30_days = 700", "manual_review", "manual_review"),
    ],
)
async def test_losses_open_the_breaker_of_the_shop_or_of_the_platform(
    app: FastAPI, headers: dict[str, str], add: Add, setting: str, shop_2: str, shop_1: str
) -> None:
    """Only what was refunded here is lost, once, whatever the event says of the amount."""
    await add(good_history())
    governed(app, f'version = "c"\n[budgets]\n{setting}\n')
    async with client_of(app, headers) as client:
        assert (await client.post(DECISIONS, json=ask(1, 700))).json()["outcome"] == "auto_refund"
        lost = {"after_sale_id": "AS-1", "order_id": "O-1", "shop_id": "S-1"}
        await add([event(f"e{n}", "good", "refund_found_shipped", NOW, **lost, amount_fen=9) for n in (1, 2)])
        foreign = lost | {"after_sale_id": "AS-unknown"}
        await add([event("e3", "good", "refund_found_shipped", NOW, **foreign, amount_fen=10**6)])
        elsewhere = (await client.post(DECISIONS, json=ask(2, 100, shop_id="S-2"))).json()
        there = (await client.post(DECISIONS, json=ask(3, 100))).json()
    assert (elsewhere["outcome"], there["outcome"]) == (shop_2, shop_1)


async def test_the_record_keeps_what_was_used_before(
    app: FastAPI, headers: dict[str, str], add: Add, url: str
) -> None:
    await add(good_history())
    governed(app, CAPS)
    async with client_of(app, headers) as client:
        for n in (1, 2):
            await client.post(DECISIONS, json=ask(n, 100))
    connection = await asyncpg.connect(url)
    kept = await connection.fetchval("SELECT record FROM decisions WHERE after_sale_id = 'AS-2'")
    await connection.close()
    usage = record.usage_of(kept)
    assert usage is not None
    assert (usage.refunds_day, usage.fen_30_days, usage.unsettled_fen) == (1, 100, 100)


Batch = list[tuple[int, int]]
"""Requests that come at once: (buyer, fen)."""


@dataclass
class Model:
    """Decides one request after another by facts that are counted anew for every question."""

    facts: dict[str, list[Fact]] = field(default_factory=dict)

    def decide(self, buyer_id: str, after_sale_id: str, fen: int, at: datetime) -> bool:
        facts = self.facts.setdefault(buyer_id, [])
        used = slow_usage(facts, at, own=after_sale_id, forgotten=timedelta(days=30))
        granted = (
            used.refunds_day + 1 <= 9 and used.fen_day + fen <= 50_000 and used.unsettled_fen + fen <= 60_000
        )
        facts.append(Fact(kind="opened", after_sale_id=after_sale_id, at=at))
        if granted:
            facts.append(Fact(kind="granted", after_sale_id=after_sale_id, at=at, fen=fen))
        return granted

    def close(self, buyer_id: str, after_sale_id: str, at: datetime) -> None:
        self.facts.setdefault(buyer_id, []).append(Fact(kind="closed", after_sale_id=after_sale_id, at=at))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    steps=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 1), st.sampled_from([1, 9_999, 20_000, 29_999])), max_size=8),
            st.sampled_from([timedelta(microseconds=1), timedelta(hours=5), timedelta(days=1)]),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_groups_decide_as_a_model_that_decides_one_after_another(
    url: str, steps: list[tuple[Batch, timedelta, bool]]
) -> None:
    asyncio.run(_compared(url, steps))


async def _compared(url: str, steps: list[tuple[Batch, timedelta, bool]]) -> None:
    run, model, at = uuid.uuid4().hex[:8], Model(), NOW
    database, champion = Database(url, size=3, timeout=20), Champion(FakeModels(), poll_seconds=60)
    await database.open()
    champion.refresh()
    policies = Policies(parse(CAPS, source="test"))
    service = DecisionService(database=database, champion=champion, policies=policies)
    try:
        for buyer in (0, 1):
            await _told(database, good_history(f"{run}-{buyer}"))
        asked: list[tuple[str, str]] = []
        for i, (batch, later, closes) in enumerate(steps):
            at += later
            named = [(f"{run}-{b}", f"{run}-{i}-{n}", fen) for n, (b, fen) in enumerate(batch)]
            answers = await asyncio.gather(*(_decide(service, *one, at) for one in named))
            assert answers == [model.decide(*one, at) for one in named]
            asked += [(buyer, case) for buyer, case, _ in named]
            if closes and asked:
                buyer, case = asked.pop(0)
                model.close(buyer, case, at)
                ended = event(f"{case}-end", buyer, "refund_withdrawn", at, after_sale_id=case)
                await _told(database, [ended])
    finally:
        await service.close()
        await database.close()


async def _decide(service: DecisionService, buyer: str, case: str, fen: int, at: datetime) -> bool:
    body = request(
        buyer_id=buyer,
        after_sale_id=case,
        order_id=case,
        paid_amount_fen=fen,
        refund_amount_fen=fen,
        requested_at=(at - timedelta(seconds=1)).isoformat(),
    )
    asked = RefundDecisionIn.model_validate(body, strict=False).request(at)
    made = await service.decide(asked, digest=record.digest(asked, dated=True), decided_at=at)
    return made.row.outcome == "auto_refund"


async def _told(database: Database, rows: list[dict[str, Any]]) -> None:
    async with database.transaction() as connection:
        await event_store.append(connection, table(rows))


def test_the_model_is_not_idle() -> None:
    model = Model()
    outcomes = Counter(model.decide("b", f"c{n}", 20_000, NOW) for n in range(3))
    assert outcomes == {True: 2, False: 1}
