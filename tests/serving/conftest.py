"""One PostgreSQL for all tests of the service, emptied before each."""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import structlog
from fastapi import FastAPI

from serving.app import create_app
from serving.run import _listening, server_of
from serving.settings import Settings
from serving.store import events as event_store
from serving.store import keys
from serving.store.embedded import database
from serving.store.migrate import migrate
from tests.serving.scenes import NOW, FakeModels, good_history, table

ERASING = {"buyer_tier.erasing": "on"}
"""Settings of a connection that may change and delete what is kept."""
TABLES = (
    *("chains", "events", "links", "decisions", "api_keys", "skew_checks", "buyer_profiles"),
    *("policy_activations", "policies", "standings", "standing_transitions", "shop_figures", "sweeps"),
)
LARGE = 1 << 20
"""Bytes from which on a table is emptied by giving it a new file, which takes far longer than deleting."""
Add = Callable[[list[dict[str, Any]]], Awaitable[None]]
MakeKey = Callable[..., Awaitable[str]]


@pytest.fixture(autouse=True)
def plain_logs() -> None:
    """Log to whatever standard output is now, whoever configured it before."""
    render = structlog.processors.JSONRenderer(ensure_ascii=False)
    structlog.configure(
        processors=[structlog.processors.format_exc_info, render],
        wrapper_class=structlog.BoundLogger,
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=False,
    )


@contextmanager
def own_folder() -> Iterator[Path]:
    """Make a folder for a server, outside pytest's.

    As root the server runs as another user, and every start of pytest closes the folder above its
    temporary ones to others.
    """
    with tempfile.TemporaryDirectory(prefix="buyer-tier-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def home() -> Iterator[Path]:
    with own_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    with own_folder() as folder, database(Settings(home=folder)) as url:
        migrate(url)
        asyncio.run(_tables_in_order(url))
        yield url


async def _tables_in_order(url: str) -> None:
    """Without vacuum, rows lie in the order in which they came, also where others were deleted."""
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER SYSTEM SET autovacuum = off")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, database_timeout_seconds=5, key_cache_seconds=0, port=0)


@pytest.fixture
def url(server_url: str) -> str:
    async def empty() -> None:
        connection = await asyncpg.connect(server_url, server_settings=ERASING)
        sizes = "SELECT max(pg_table_size(name::regclass)) FROM unnest($1::text[]) AS name"
        if await connection.fetchval(sizes, TABLES) > LARGE:
            await connection.execute("TRUNCATE " + ", ".join(TABLES))
        else:
            await connection.execute("; ".join(f"DELETE FROM {name}" for name in TABLES))
        await connection.close()

    asyncio.run(empty())
    return server_url


@pytest.fixture
async def add(url: str) -> Add:
    async def add(rows: list[dict[str, Any]]) -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await event_store.append(connection, table(rows))
        await connection.close()

    return add


@pytest.fixture
async def make_key(url: str) -> MakeKey:
    async def make_key(*scopes: str, days: float | None = None) -> str:
        connection = await asyncpg.connect(url)
        expires = None if days is None else NOW + timedelta(days=days)
        key, _ = await keys.create(connection, name="test", scopes=scopes, now=NOW, expires_at=expires)
        await connection.close()
        return key

    return make_key


@pytest.fixture
async def headers(make_key: MakeKey) -> dict[str, str]:
    return {"Authorization": f"Bearer {await make_key(*keys.SCOPES)}"}


@asynccontextmanager
async def client_of(app: FastAPI, headers: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client,
    ):
        yield client


@pytest.fixture
def app(settings: Settings, url: str) -> FastAPI:
    return create_app(settings, database_url=url, models=FakeModels(), clock=lambda: NOW)


@pytest.fixture
async def client(app: FastAPI, headers: dict[str, str], add: Add) -> AsyncIterator[httpx.AsyncClient]:
    """A client with every scope, and one good buyer in the history."""
    await add(good_history())
    async with client_of(app, headers) as client:
        yield client


@contextmanager
def live(app: FastAPI, settings: Settings) -> Iterator[str]:
    """Serve over a real socket, in a thread."""
    with _listening(settings) as listener:
        server = server_of(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
