"""Several processes that serve one database: what each of them knows of the others' acts."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx
import pytest

from serving.policies import change
from serving.settings import Settings
from serving.store import keys
from serving.workers import Worker
from tests.serving.conftest import Add, MakeKey
from tests.serving.deciding import run
from tests.serving.processes import DECISIONS, SLACK, Asking, followed, process_of, sent, told, until_answered
from tests.serving.scenes import NOW, as_json, event, good_history, request

GRANTED = "SELECT buyer_id, sum(refund_amount_fen) FROM decisions WHERE outcome = 'auto_refund' GROUP BY 1"
KEY_SECONDS = 1.0
CAPS = 'version = "caps-2"\n[caps]\nfen_per_day = 50_000\n'


async def key_of(url: str, name: str, scope: str) -> str:
    connection = await asyncpg.connect(url)
    key, _ = await keys.create(connection, name=name, scopes=[scope], now=NOW, expires_at=None)
    await connection.close()
    return key


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("registry") / "champion"
    file.write_text("7")
    return file


@pytest.fixture(scope="module")
def two(server_url: str, tmp_path_factory: pytest.TempPathFactory, champion: Path) -> Iterator[list[str]]:
    """Two workers that outlive a test, as starting them takes long; each test has its own keys and data."""
    folder = tmp_path_factory.mktemp("workers")
    settings = Settings(home=folder, port=0, key_cache_seconds=KEY_SECONDS, model_poll_seconds=0.5)
    with ExitStack() as stack:
        found = [
            stack.enter_context(process_of(settings, server_url, Worker(number, folder), champion))
            for number in range(2)
        ]
        for address in found:
            until_answered(f"{address}/readyz")
        yield found


async def test_two_processes_decide_an_after_sale_once_and_keep_a_cap_to_the_fen(
    two: list[str], url: str, headers: dict[str, str], add: Add
) -> None:
    await add([row for n in range(3) for row in good_history(f"B-{n}")])
    bodies = [
        request(
            after_sale_id=f"AS-{n}",
            order_id=f"O-{n}",
            buyer_id=f"B-{n % 3}",
            requested_at=None,
            paid_amount_fen=9_900,
            refund_amount_fen=9_900,
        )
        for n in range(60)
    ]
    other = {"Authorization": f"Bearer {await key_of(url, 'another', 'policy:activate')}"}
    policy = httpx.post(f"{two[0]}/v1/policies", json={"text": CAPS}, headers=headers)
    assert policy.status_code == 201, policy.text
    activation = httpx.post(
        f"{two[0]}/v1/policies/caps-2/activation", json={"reason": "two processes"}, headers=other
    )
    assert activation.status_code in (200, 201), activation.text

    answers = await sent(two, headers, bodies)

    assert Counter(answer.status_code for answer in answers) == {201: 60, 200: 60}
    by_after_sale: dict[str, set[bytes]] = {}
    for answer in answers:
        by_after_sale.setdefault(answer.json()["after_sale_id"], set()).add(answer.content)
    assert all(len(same) == 1 for same in by_after_sale.values())
    stored = await asyncio.to_thread(run, url, GRANTED)
    assert sorted(map(tuple, stored)) == [(f"B-{n}", 49_500) for n in range(3)]


async def test_the_kill_switch_holds_on_every_worker_for_all_that_is_asked_after_it_and_so_does_its_end(
    two: list[str], url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    async with Asking(two, headers, "stop") as asking:
        stopped = httpx.post(f"{two[0]}/v1/policies/stop", json={"reason": "a test"}, headers=headers)
        thrown = time.monotonic()
        assert stopped.status_code == 201, stopped.text
        await followed(two, "+stopped", within=1.0)
        await asyncio.sleep(0.5)
        connection = await asyncpg.connect(url)  # a command's way: straight into the database
        key = await keys.find(connection, keys.hashed(headers["Authorization"].removeprefix("Bearer ")))
        assert key is not None
        lifting = time.monotonic()
        async with connection.transaction():
            await change(connection, "resume", key=key, reason="a test", now=datetime.now(UTC))
        lifted = time.monotonic()
        await connection.close()
        await followed(two, "notice-2023-09-06", within=1.0)
        await asyncio.sleep(0.5)
    for n in range(2):
        assert all(answer.status_code == 201 for _, _, answer in asking.answers[n])
        before = [one.json() for one in asking.told(n, since=0, until=thrown - 1)]
        during = [one.json() for one in asking.told(n, since=thrown, until=lifting)]
        after = [one.json() for one in asking.told(n, since=lifted)]
        assert {one["outcome"] for one in before} <= {"auto_refund"}
        assert len(during) > 3
        assert {one["outcome"] for one in during} == {"manual_review"}
        assert {one["policy_version"] for one in during} == {"notice-2023-09-06+stopped"}
        assert {one["outcome"] for one in after} == {"auto_refund"}


async def test_a_promoted_champion_is_followed_by_every_worker_within_seconds_and_no_request_is_dropped(
    two: list[str], champion: Path, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    try:
        async with Asking(two, headers, "promoted") as asking:
            champion.write_text("8")
            promoted = time.monotonic()
            await asyncio.sleep(0.5 + SLACK)
            settled = time.monotonic()
            await asyncio.sleep(0.5)
    finally:
        champion.write_text("7")
    for n in range(2):
        assert all(answer.status_code == 201 for _, _, answer in asking.answers[n])
        versions = [answer.json()["model_version"] for _, _, answer in asking.answers[n]]
        assert versions == sorted(versions), "none goes back"
        assert versions[0] == "7"
        assert promoted < settled
        assert {one.json()["model_version"] for one in asking.told(n, since=settled)} == {"8"}


async def test_a_revoked_key_is_refused_by_every_worker_within_the_time_of_its_cache(
    two: list[str], url: str, make_key: MakeKey, add: Add
) -> None:
    await add(good_history())
    key = await make_key("decide")
    async with Asking(two, {"Authorization": f"Bearer {key}"}, "revoked") as asking:
        await asyncio.sleep(1.5 * KEY_SECONDS)  # it was renewed meanwhile, as a key in use is
        connection = await asyncpg.connect(url)
        found = await keys.find(connection, keys.hashed(key))
        assert found is not None
        await keys.revoke(connection, found.key_id, datetime.now(UTC))
        revoked = time.monotonic()
        await connection.close()
        await asyncio.sleep(KEY_SECONDS + 0.5)
    for n in range(2):
        until = asking.told(n, since=0, until=revoked - 0.5)
        assert {answer.status_code for answer in until} == {201}
        late = asking.told(n, since=revoked + KEY_SECONDS)
        assert len(late) > 3
        assert {answer.status_code for answer in late} == {401}


async def test_whichever_worker_is_asked_tells_the_sums_of_all(
    two: list[str], url: str, headers: dict[str, str], add: Add
) -> None:
    await add([*good_history(), *good_history("bad"), *good_history("worse")])
    before = told(two[0])
    for n, (address, count) in enumerate(zip(two, (2, 3), strict=True)):
        for i in range(count):
            case = f"sum-{n}-{i}"
            body = request(after_sale_id=case, order_id=f"O-{case}", requested_at=None)
            httpx.post(f"{address}{DECISIONS}", json=body, headers=headers).raise_for_status()
        body = request(after_sale_id=f"big-{n}", order_id=f"big-{n}", paid_amount_fen=30_000)
        httpx.post(f"{address}{DECISIONS}", json=body, headers=headers).raise_for_status()
        buyer = ("bad", "worse")[n]
        path = f"/v1/buyers/{buyer}/standing/revocations"
        httpx.post(address + path, json={"reason": "a test"}, headers=headers).raise_for_status()
        sent = [as_json(event(f"{buyer}-sent", buyer, "order_placed", NOW, order_id="O-sent"))]
        httpx.post(f"{address}/v1/events", json={"events": sent}, headers=headers).raise_for_status()
    await asyncio.sleep(1.5)

    for address in two:
        now = told(address)
        grown = {name: value - before.get(name, 0) for name, value in now.items()}
        assert grown['buyer_tier_decisions_total{first_failed_rule="none",outcome="auto_refund"}'] == 5
        assert (
            grown['buyer_tier_decisions_total{first_failed_rule="amount_below_cap",outcome="manual_review"}']
            == 2
        )
        assert grown['buyer_tier_rules_failed_total{rule="amount_below_cap"}'] == 2
        changed = '{from_state="new",rule="operator",to_state="revoked"}'
        assert grown[f"buyer_tier_standing_changes_total{changed}"] == 2
        assert grown['buyer_tier_events_total{status="accepted"}'] == 2
        assert grown['buyer_tier_decision_stage_seconds_count{stage="wait"}'] == 7
        assert grown['buyer_tier_decision_stage_seconds_bucket{le="+Inf",stage="wait"}'] == 7
        of_decisions = '{method="POST",route="/v1/refund-decisions",status="201"}'
        assert grown[f"buyer_tier_requests_total{of_decisions}"] == 7
        assert now['buyer_tier_model_registered_timestamp_seconds{version="7"}'] == 1.7e9
        assert now["buyer_tier_history_lag_seconds"] > 0
        text = httpx.get(f"{address}/metrics").text
        families = re.findall("# TYPE (\\S+)", text)
        assert len(families) == len(set(families))
