"""The database for as long as a command runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from .settings import Settings
from .store.database import Database
from .store.embedded import database
from .store.migrate import migrate

if TYPE_CHECKING:
    from .store.database import Connection


@contextmanager
def workspace(settings: Settings) -> Iterator[str]:
    """Yield the URL of the migrated database, running the embedded one if none is named."""
    with database(settings) as url:
        migrate(url)
        yield url


@asynccontextmanager
async def opened(settings: Settings, url: str) -> AsyncIterator[Database]:
    """Open the database for a while."""
    pool = Database(url, size=settings.pool_size, timeout=settings.database_timeout_seconds)
    await pool.open()
    try:
        yield pool
    finally:
        await pool.close()


@asynccontextmanager
async def connected(settings: Settings, url: str) -> AsyncIterator[Connection]:
    """Lend one connection for a while."""
    async with opened(settings, url) as pool, pool.connection() as connection:
        yield connection
