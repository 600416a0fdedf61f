"""Decide many requests by the very service, and look into its database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import asyncpg
import pyarrow as pa

from decisions.request import RefundRequest
from models.deciding import record
from serving.bulk import load_log
from serving.champion import Champion
from serving.service import DecisionService
from serving.store.database import Database
from tests.serving.scenes import FakeModels


def decided(url: str, requests: Iterable[RefundRequest], *, log: pa.Table | None = None, at: datetime) -> int:
    """Load a log, then decide; give the number of new decisions."""
    return asyncio.run(_decided(url, list(requests), log, at))


async def _decided(url: str, requests: list[RefundRequest], log: pa.Table | None, at: datetime) -> int:
    database = Database(url, size=2, timeout=20)
    champion = Champion(FakeModels(), poll_seconds=60)
    await database.open()
    try:
        if log is not None:
            await load_log(database, log)
        champion.refresh()
        service = DecisionService(database=database, champion=champion)
        return sum(
            [
                (await service.decide(one, digest=record.digest(one, dated=True), decided_at=at)).created
                for one in requests
            ]
        )
    finally:
        await database.close()


def run(url: str, query: str, *values: Any) -> list[Any]:
    """Run one statement of SQL, as one who may change what is kept."""

    async def fetched() -> list[Any]:
        connection = await asyncpg.connect(url, server_settings={"buyer_tier.erasing": "on"})
        try:
            return list(await connection.fetch(query, *values))
        finally:
            await connection.close()

    return asyncio.run(fetched())
