"""Services on one database: each follows what another was told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from serving.app import create_app
from serving.settings import Settings
from tests.serving.conftest import Add, client_of, live
from tests.serving.policies import POLICIES, WHY, decided
from tests.serving.scenes import NOW, FakeModels, good_history


@pytest.fixture
async def two(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> AsyncIterator[list[tuple[FastAPI, httpx.AsyncClient]]]:
    """Two services on one database, each with its own memory."""
    await add(good_history())
    async with AsyncExitStack() as stack:
        apps = [
            create_app(settings, database_url=url, models=FakeModels(), clock=lambda: NOW) for _ in range(2)
        ]
        yield [(app, await stack.enter_async_context(client_of(app, headers))) for app in apps]


async def test_every_worker_stops_within_a_second_and_no_decision_after_it_is_automatic(
    two: list[tuple[FastAPI, httpx.AsyncClient]],
) -> None:
    (_, here), (other, there) = two
    assert (await decided(there, 1))["outcome"] == "auto_refund"
    await asyncio.sleep(0.3)  # until the other listens
    await here.post(f"{POLICIES}/stop", json=WHY)
    assert (await decided(there, 2))["outcome"] == "manual_review"
    begun = time.monotonic()
    await here.post(f"{POLICIES}/resume", json=WHY)
    while other.state.policies.at(NOW).stopped and time.monotonic() < begun + 1:
        await asyncio.sleep(0.01)
    assert not other.state.policies.at(NOW).stopped, "without a decision only the notification can tell"


async def test_a_worker_whose_listening_connection_is_cut_off_still_stops(
    two: list[tuple[FastAPI, httpx.AsyncClient]], url: str
) -> None:
    (_, here), (other, there) = two
    await asyncio.sleep(0.3)  # until both listen
    connection = await asyncpg.connect(url)
    cut = await connection.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'buyer-tier' AND query LIKE 'LISTEN%' OR query LIKE '%policy_activations%' "
        "AND pid <> pg_backend_pid() AND datname = current_database()"
    )
    await connection.close()
    assert len(cut) >= 2
    await here.post(f"{POLICIES}/stop", json=WHY)
    assert (await decided(there, 1))["outcome"] == "manual_review", "a decision asks for itself"
    await here.post(f"{POLICIES}/resume", json=WHY)
    begun = time.monotonic()
    while other.state.policies.at(NOW).stopped and time.monotonic() < begun + 1:
        await asyncio.sleep(0.01)
    assert not other.state.policies.at(NOW).stopped, "it listens again"


async def test_ten_who_stop_at_once_stop_once(
    app: FastAPI, settings: Settings, url: str, headers: dict[str, str]
) -> None:
    with live(app, settings) as address:
        async with httpx.AsyncClient(base_url=address, headers=headers) as client:
            answers = await asyncio.gather(*(client.post(f"{POLICIES}/stop", json=WHY) for _ in range(10)))
    assert sorted(a.status_code for a in answers) == [201] + [409] * 9
