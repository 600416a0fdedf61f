"""Keys in use stay remembered, but never longer than they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from serving.api.auth import KeyRing
from serving.errors import Unavailable
from serving.store.database import Database
from tests.serving.scenes import NOW

SECONDS = 10.0


class Kept:
    """A database with one key, or none; counts how often it is asked."""

    def __init__(self) -> None:
        self.row: dict[str, Any] | None = {"key_id": "k", "name": "shop", "scopes": ["decide"]}
        self.row |= {"created_at": NOW, "expires_at": None, "revoked_at": None}
        self.asked, self.away, self.now = 0, False, 1000.0

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Kept]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("database", "gone")
        yield self

    async def fetchrow(self, *_: object) -> dict[str, Any] | None:
        return self.row


async def ring() -> tuple[KeyRing, Kept]:
    kept = Kept()
    keys = KeyRing(cast(Database, kept), seconds=SECONDS, ticks=lambda: kept.now)
    assert keys.remembered(b"bt_x") is None
    await keys.find("bt_x")
    return keys, kept


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_key_in_use_is_looked_up_once_before_it_is_forgotten_and_nobody_waits() -> None:
    keys, kept = await ring()
    kept.now += SECONDS / 2
    keys.remembered(b"bt_x")
    await settled()
    assert kept.asked == 1
    kept.now += 1
    assert all(keys.remembered(b"bt_x") for _ in range(64))
    await settled()
    assert kept.asked == 2
    kept.now += SECONDS - 1
    assert keys.remembered(b"bt_x")


async def test_a_key_that_is_gone_is_refused_after_its_renewal() -> None:
    keys, kept = await ring()
    kept.row, kept.now = None, kept.now + SECONDS - 1
    keys.remembered(b"bt_x")
    await settled()
    assert keys.remembered(b"bt_x") is None


async def test_a_key_that_cannot_be_renewed_is_forgotten_in_its_time() -> None:
    keys, kept = await ring()
    kept.away, kept.now = True, kept.now + SECONDS - 1
    assert keys.remembered(b"bt_x")
    await settled()
    kept.now += 1
    assert keys.remembered(b"bt_x") is None
