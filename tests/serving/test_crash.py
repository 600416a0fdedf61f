"""Service and database are killed at every step; whoever was answered finds the same answer stored."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import uvicorn

from serving import auditing
from serving.app import create_app, now
from serving.auditing import Followed
from serving.run import _listening
from serving.settings import Settings
from serving.store import events as event_store
from serving.store import keys
from serving.store.database import Database
from serving.store.embedded import database
from serving.store.migrate import migrate
from tests.serving.conftest import ERASING, own_folder
from tests.serving.deciding import run
from tests.serving.scenes import FakeModels, good_history, request, table

DECISIONS = "/v1/refund-decisions"
STAGES = ("turn", "history", "assess", "store", "commit")
CLIENTS, EACH = 24, 6
Strike = Callable[[], None]


@pytest.fixture(scope="module")
def own_server() -> Iterator[tuple[str, Path]]:
    with own_folder() as folder, database(Settings(home=folder)) as url:
        migrate(url)
        yield url, folder


def prepared(url: str) -> dict[str, str]:
    """Empty the database but for seven good buyers; give a key's header."""

    async def made() -> str:
        connection = await asyncpg.connect(url, server_settings=ERASING)
        await connection.execute("TRUNCATE chains, events, links, decisions, api_keys, buyer_profiles")
        async with connection.transaction():
            rows = [row for n in range(7) for row in good_history(f"B-{n}")]
            await event_store.append(connection, table(rows))
        key, _ = await keys.create(connection, name="test", scopes=keys.SCOPES, now=now(), expires_at=None)
        await connection.close()
        return key

    return {"Authorization": f"Bearer {asyncio.run(made())}"}


def bodies(client: int) -> list[dict[str, Any]]:
    """Requests that share buyers and orders with those of other clients."""
    return [
        request(
            after_sale_id=f"AS-{client}-{n}",
            buyer_id=f"B-{(client + n) % 7}",
            order_id=f"O-{(client * EACH + n) % 50}",
            requested_at=None,
        )
        for n in range(EACH)
    ]


async def clients(address: str, headers: dict[str, str]) -> dict[str, list[httpx.Response]]:
    """Send everything until it is answered, and then twice more."""
    answers: dict[str, list[httpx.Response]] = {}
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=address, headers=headers, limits=limits, timeout=15) as client:

        async def insist(body: dict[str, Any]) -> None:
            until = time.monotonic() + 90
            while len(answers.setdefault(body["after_sale_id"], [])) < 3:
                assert time.monotonic() < until, "no answer in time"
                try:
                    answer = await client.post(DECISIONS, json=body)
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
                    continue
                if answer.status_code == 503:
                    await asyncio.sleep(0.05)
                    continue
                answers[body["after_sale_id"]].append(answer)

        async def one(number: int) -> None:
            for body in bodies(number):
                await insist(body)

        await asyncio.gather(*map(one, range(CLIENTS)))
    return answers


def serve(listener: Any, settings: Settings, url: str, struck: Callable[[str], None]) -> None:
    """Be the service; ``struck`` is told each stage as it ends."""
    app = create_app(settings, database_url=url, models=FakeModels())
    observe = app.state.service._observe
    app.state.service._observe = lambda stage, seconds: (observe(stage, seconds), struck(stage))
    uvicorn.Server(uvicorn.Config(app, log_config=None, loop="uvloop")).run(sockets=[listener])


def under_attack(
    own_server: tuple[str, Path], tmp_path: Path, stage: str, strike: Strike
) -> tuple[dict[str, list[httpx.Response]], int]:
    """Serve in processes of their own, each started when the last was killed; strike once at a stage."""
    url, _ = own_server
    settings = Settings(home=tmp_path, port=0, database_timeout_seconds=5, key_cache_seconds=5)
    headers, found, started = prepared(url), {}, 0
    with _listening(settings) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sending = threading.Thread(target=lambda: found.update(asyncio.run(clients(address, headers))))
        while started == 0 or sending.is_alive():
            seen: Counter[str] = Counter()
            armed = started == 0

            def struck(name: str, seen: Counter[str] = seen, armed: bool = armed) -> None:
                seen[name] += 1
                if armed and name == stage and seen[name] == 2:
                    strike()

            if (child := os.fork()) == 0:
                try:
                    serve(listener, settings, url, struck)
                finally:
                    os._exit(0)
            started += 1
            if started == 1:
                sending.start()
            ending = threading.Thread(target=_end, args=(sending, child))
            ending.start()
            os.waitpid(child, 0)
        sending.join()
    return found, started


def _end(sending: threading.Thread, child: int) -> None:
    sending.join()
    try:
        os.kill(child, signal.SIGTERM)
    except ProcessLookupError:
        return


async def verified(url: str) -> list[Followed]:
    database = Database(url, size=1, timeout=20)
    await database.open()
    try:
        return await auditing.verify(database, known={})
    finally:
        await database.close()


def check(url: str, found: dict[str, list[httpx.Response]]) -> None:
    """Nothing answered that is not stored, none stored twice, none answered differently; chains are whole."""
    stored = run(url, "SELECT after_sale_id, answer FROM decisions")
    assert len(stored) == CLIENTS * EACH == len(found)
    kept = dict(map(tuple, stored))
    orders = run(url, "SELECT order_id, outcome FROM decisions")
    for after_sale_id, answers in found.items():
        assert {answer.content for answer in answers} == {kept[after_sale_id]}
        assert Counter(answer.status_code for answer in answers)[201] <= 1
    followed = asyncio.run(verified(url))
    assert [one.broken for one in followed] == [None] * len(followed)
    assert sum(one.records["decisions"] for one in followed) == len(stored)
    granted = Counter(order_id for order_id, outcome in orders if outcome == "auto_refund")
    assert set(granted.values()) == {1}  # nothing is paid back twice


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_service_killed_at_any_stage_has_stored_what_it_answered(
    own_server: tuple[str, Path], tmp_path: Path, stage: str
) -> None:
    found, started = under_attack(own_server, tmp_path, stage, lambda: os.kill(os.getpid(), signal.SIGKILL))
    assert started > 1
    check(own_server[0], found)


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_database_killed_at_any_stage_has_stored_what_was_answered(
    own_server: tuple[str, Path], tmp_path: Path, stage: str
) -> None:
    def kill() -> None:
        pid = next(own_server[1].rglob("postmaster.pid")).read_text().splitlines()[0]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *children):
            os.kill(int(one), signal.SIGKILL)

    found, _ = under_attack(own_server, tmp_path, stage, kill)
    check(own_server[0], found)
