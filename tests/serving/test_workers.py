"""Several processes that serve one database and one port."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from serving.errors import Unavailable
from serving.policies import change
from serving.run import _listening, work
from serving.settings import Settings
from serving.store import keys
from serving.workers import Worker, port_for_all
from tests.serving.conftest import Add, MakeKey
from tests.serving.deciding import run
from tests.serving.scenes import NOW, FakeModels, as_json, event, good_history, request

DECISIONS = "/v1/refund-decisions"
SERVE = "from buyer_tier.commands.serve import serve; serve(host='127.0.0.1', port=0, workers=2)"
GRANTED = "SELECT buyer_id, sum(refund_amount_fen) FROM decisions WHERE outcome = 'auto_refund' GROUP BY 1"
KEY_SECONDS = 1.0
SLACK = 2.0
"""What a busy machine may add; the product's own times are without it."""
CAPS = 'version = "caps-2"\n[caps]\nfen_per_day = 50_000\n'


class Named(FakeModels):
    """The champion is whichever version a file names."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def champion_version(self) -> str | None:
        return self.file.read_text()


@contextmanager
def process_of(settings: Settings, url: str, worker: Worker, champion: Path) -> Iterator[str]:
    """Run one worker, on a port of its own, so that a test says which of them it asks."""
    with port_for_all("127.0.0.1", 0) as held:
        own = settings.model_copy(update={"port": held.getsockname()[1]})
        target = partial(work, own, url, models=Named(champion))
        process = multiprocessing.get_context("spawn").Process(target=target, args=(worker,))
        process.start()
        try:
            yield f"http://127.0.0.1:{own.port}"
        finally:
            process.terminate()
            process.join(60)
            assert process.exitcode == 0


async def key_of(url: str, name: str, scope: str) -> str:
    connection = await asyncpg.connect(url)
    key, _ = await keys.create(connection, name=name, scopes=[scope], now=NOW, expires_at=None)
    await connection.close()
    return key


def until_answered(address: str) -> httpx.Response:
    for _ in range(1200):
        try:
            return httpx.get(address, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(address)


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


async def sent(addresses: list[str], headers: dict[str, str], bodies: list[Any]) -> list[httpx.Response]:
    """Send every body to every process at once."""
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(client.post(address + DECISIONS, json=body) for body in bodies for address in addresses)
        )


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


class Asking:
    """One client at each worker that asks without a pause, and what it was answered and when."""

    def __init__(self, addresses: list[str], headers: dict[str, str], name: str) -> None:
        self.addresses, self.headers, self.name = addresses, headers, name
        self.answers: list[list[tuple[float, float, httpx.Response]]] = [[] for _ in addresses]

    async def __aenter__(self) -> Asking:
        self.stopping = asyncio.Event()
        self.tasks = [asyncio.create_task(self._ask(n)) for n in range(len(self.addresses))]
        async with asyncio.timeout(20):
            while not all(len(one) >= 5 for one in self.answers):
                await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        await asyncio.gather(*self.tasks)

    async def _ask(self, n: int) -> None:
        async with httpx.AsyncClient(headers=self.headers, timeout=30) as client:
            while not self.stopping.is_set():
                case = f"{self.name}-{n}-{len(self.answers[n])}"
                body = request(after_sale_id=case, order_id=f"O-{case}", requested_at=None)
                asked = time.monotonic()
                answer = await client.post(self.addresses[n] + DECISIONS, json=body)
                self.answers[n].append((asked, time.monotonic(), answer))

    def told(self, n: int, *, since: float, until: float = float("inf")) -> list[httpx.Response]:
        """What a worker answered to requests sent within a time."""
        return [answer for asked, _, answer in self.answers[n] if since <= asked < until]


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


async def followed(addresses: list[str], policy: str, *, within: float) -> None:
    """Wait until both workers' readiness, which follows by a notification, names a policy."""
    begun = time.monotonic()
    for address in addresses:
        while not str((await asyncio.to_thread(ready, address))["policy_version"]).endswith(policy):
            assert time.monotonic() < begun + within + SLACK, f"{address} does not follow"
            await asyncio.sleep(0.05)


def ready(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/readyz", timeout=10).json()
    return found


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


def told(address: str) -> dict[str, float]:
    """All samples by name and labels."""
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_a_worker_that_is_killed_is_replaced_and_all_end_together(url: str, tmp_path: Path) -> None:
    with served(url, tmp_path) as (process, address):
        first, second = workers_of(process.pid)
        first.kill()
        for _ in range(300):
            if len(now := workers_of(process.pid)) == 2 and first not in now:
                break
            time.sleep(0.1)
        assert second in now
        assert until_answered(f"{address}/healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not any(one.is_running() for one in now)


def test_workers_do_not_outlive_a_parent_that_was_killed(url: str, tmp_path: Path) -> None:
    with served(url, tmp_path) as (process, _):
        workers = workers_of(process.pid)
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert not alive


def test_a_port_that_workers_share_is_taken_for_others(tmp_path: Path) -> None:
    with port_for_all("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        for count in (1, 2):
            settings = Settings(home=tmp_path, port=port, workers=count)
            with pytest.raises(Unavailable, match="choose another --port"), _listening(settings):
                pass


@contextmanager
def served(url: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    environment = os.environ | {
        "BUYER_TIER_HOME": str(home),
        "BUYER_TIER_DATABASE_URL": url,
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            assert until_answered(f"{address}/healthz").status_code == 200
            yield process, address
        finally:
            process.kill()


def workers_of(parent: int) -> list[psutil.Process]:
    alive = [one for one in psutil.Process(parent).children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in alive if "spawn_main" in " ".join(one.cmdline())]
