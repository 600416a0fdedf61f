"""A database with decisions in it is brought forward without touching them."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
import sqlalchemy as sa
from alembic import command

from serving.store.migrate import _config, _sqlalchemy_url, migrate
from serving.verify import verify
from tests.serving.deciding import run

COLUMNS = "event_id, buyer_id, kind, occurred_at, recorded_at"
EVENT = f"INSERT INTO events ({COLUMNS}) VALUES ($1, 'b', 'order_placed', now(), now())"


@pytest.fixture
def older(url: str) -> str:
    """A database as the release before left it."""

    async def made() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("DROP DATABASE IF EXISTS older")
        await connection.execute("CREATE DATABASE older")
        await connection.close()

    asyncio.run(made())
    older = url.replace("/postgres?", "/older?")
    engine = sa.create_engine(_sqlalchemy_url(older), poolclass=sa.NullPool)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
    return older


def test_what_was_stored_before_has_no_arrival_and_what_comes_has_one(older: str) -> None:
    run(older, EVENT, "before")
    migrate(older)
    run(older, EVENT, "after")
    found = dict(run(older, "SELECT event_id, arrival FROM events"))
    assert found["before"] is None
    assert found["after"] > 0
    assert verify(older, sample=5).decisions == 0
    migrate(older)
