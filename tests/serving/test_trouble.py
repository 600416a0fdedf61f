"""A database without room, writes or a free connection: a plain 503, nothing refunded or lost."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from serving.app import create_app
from serving.settings import Settings
from serving.store.embedded import database
from serving.store.migrate import migrate
from tests.serving.conftest import Add, client_of, own_folder
from tests.serving.scenes import NOW, FakeModels, as_json, good_history, request

DECISIONS = "/v1/refund-decisions"
ROOM_MIB = 4


async def asked(client: httpx.AsyncClient, *numbers: int, **named: Any) -> list[httpx.Response]:
    bodies = [request(after_sale_id=f"AS-{n}", order_id=f"O-{n}", **named) for n in numbers]
    return await asyncio.gather(*(client.post(DECISIONS, json=body) for body in bodies))


def refused(answers: list[httpx.Response]) -> bool:
    return all(answer.status_code == 503 and answer.headers["retry-after"] for answer in answers)


async def stored(url: str) -> int:
    connection = await asyncpg.connect(url)
    count: int = await connection.fetchval("SELECT count(*) FROM decisions")
    await connection.close()
    return count


@asynccontextmanager
async def read_only(url: str) -> AsyncIterator[None]:
    """Let every session that begins now read only, and end those that are open."""
    connection = await asyncpg.connect(url)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    own = "AND backend_type = 'client backend'"
    await connection.execute("ALTER ROLE postgres SET default_transaction_read_only = on")
    await connection.execute(f"{others} {own}")
    try:
        yield
    finally:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("ALTER ROLE postgres RESET default_transaction_read_only")
        await connection.execute(f"{others} {own}")
        await connection.close()


async def test_a_database_that_turns_read_only_refuses_and_later_decides(
    client: httpx.AsyncClient, url: str
) -> None:
    async with read_only(url):
        assert refused(await asked(client, 1, 2, 3))
        batch = {"events": [as_json(row) for row in good_history("other")]}
        assert refused([await client.post("/v1/events", json=batch)])
    assert await stored(url) == 0
    for _ in range(3):  # a connection that was ended is found out when it is used
        answers = await asked(client, 1, 2, 3)
    assert {answer.status_code for answer in answers} <= {200, 201}
    assert await stored(url) == 3


async def test_when_no_connection_is_free_requests_are_refused_in_time(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    small = settings.model_copy(
        update={"pool_size": 1, "database_timeout_seconds": 1.0, "key_cache_seconds": 60.0}
    )
    app = create_app(small, database_url=url, models=FakeModels(), clock=lambda: NOW)
    async with client_of(app, headers) as client:
        assert (await asked(client, 0))[0].status_code == 201
        async with app.state.database.connection():
            assert refused(await asked(client, *range(1, 20)))
        assert {answer.status_code for answer in await asked(client, *range(20))} == {200, 201}
    assert await stored(url) == 20


@pytest.fixture
def tight() -> Iterator[str]:
    """Give a database whose decisions lie on a disk of a few MiB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with own_folder() as folder:
        disk = folder / "disk"
        disk.mkdir()
        mounted = ["mount", "-t", "tmpfs", "-o", f"size={ROOM_MIB}m,mode=0777", "tmpfs", str(disk)]
        if subprocess.run(mounted, check=False, capture_output=True).returncode:
            pytest.skip("no small disk can be mounted here")
        try:
            with database(Settings(home=folder / "home")) as url:
                migrate(url)
                asyncio.run(_moved(url, disk / "pg"))
                yield url
        finally:
            subprocess.run(["umount", "-l", str(disk)], check=True)


async def _moved(url: str, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    owner = folder.parents[1] / "home" / "postgres"
    os.chown(folder, owner.stat().st_uid, owner.stat().st_gid)
    connection = await asyncpg.connect(url)
    await connection.execute(f"CREATE TABLESPACE tight LOCATION '{folder}'")
    await connection.execute("ALTER TABLE decisions SET TABLESPACE tight")
    await connection.close()


async def test_a_full_disk_refuses_what_it_cannot_keep_and_keeps_what_it_answered(
    settings: Settings, tight: str
) -> None:
    from serving.store import keys

    connection = await asyncpg.connect(tight)
    key, _ = await keys.create(connection, name="t", scopes=keys.SCOPES, now=NOW, expires_at=None)
    await connection.close()
    app = create_app(settings, database_url=tight, models=FakeModels(), clock=lambda: NOW)
    kept = 0
    async with client_of(app, {"Authorization": f"Bearer {key}"}) as client:
        for start in range(0, 6000, 50):
            answers = await asked(client, *range(start, start + 50), reason="r" * 1000)
            kept += sum(answer.status_code == 201 for answer in answers)
            if full := [answer for answer in answers if answer.status_code != 201]:
                break
        assert refused(full)
        assert await stored(tight) == kept
        await _given_room(tight)
        assert (await asked(client, 7000))[0].status_code == 201


async def _given_room(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER TABLE decisions SET TABLESPACE pg_default")
    await connection.close()
