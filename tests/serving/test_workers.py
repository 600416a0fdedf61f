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
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from serving.errors import Unavailable
from serving.run import _listening, work
from serving.settings import Settings
from serving.store import keys
from serving.workers import Worker, port_for_all
from tests.serving.conftest import Add
from tests.serving.deciding import run
from tests.serving.scenes import NOW, FakeModels, good_history, request

DECISIONS = "/v1/refund-decisions"
SERVE = "from buyer_tier.commands.serve import serve; serve(host='127.0.0.1', port=0, workers=2)"
GRANTED = "SELECT buyer_id, sum(refund_amount_fen) FROM decisions WHERE outcome = 'auto_refund' GROUP BY 1"
CAPS = 'version = "caps-2"\n[caps]\nfen_per_day = 50_000\n'


@contextmanager
def process_of(settings: Settings, url: str, worker: Worker) -> Iterator[str]:
    """Run one worker, on a port of its own, so that a test says which of them it asks."""
    with port_for_all("127.0.0.1", 0) as held:
        own = settings.model_copy(update={"port": held.getsockname()[1]})
        target = partial(work, own, url, models=FakeModels())
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


@pytest.fixture
def two(settings: Settings, url: str, tmp_path: Path) -> Iterator[list[str]]:
    with ExitStack() as stack:
        found = [
            stack.enter_context(process_of(settings, url, Worker(number, tmp_path))) for number in range(2)
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


async def test_whichever_process_is_asked_tells_the_metrics_of_both(
    two: list[str], headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    for address, count in zip(two, (2, 3), strict=True):
        for _ in range(count):
            httpx.get(f"{address}/v1/buyers/good/score", headers=headers).raise_for_status()
    time.sleep(2.5)
    for address in two:
        text = httpx.get(f"{address}/metrics").text
        found = re.findall(r'buyer_tier_requests_total{.*route="/v1/buyers.*worker="(.)"} (\d)', text)
        assert sorted(found) == [("0", "2"), ("1", "3")]
        assert text.count("# TYPE buyer_tier_requests_total") == 1


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
