"""The database for as long as a command runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

from .settings import Settings
from .store.database import Database
from .store.embedded import database
from .store.migrate import migrate

if TYPE_CHECKING:
    from .store.database import Connection

Given = TypeVar("Given")
Result = TypeVar("Result")


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


def run(
    opening: Callable[[Settings, str], AbstractAsyncContextManager[Given]],
    work: Callable[[Given], Awaitable[Result]],
    settings: Settings | None = None,
) -> Result:
    """Work with what is opened on the workspace's database, and close it again.

    Parameters
    ----------
    opening : callable
        `opened`, `connected` or one of `serving.direct`.
    work : callable
    settings : Settings, optional
        By default as the environment has them.
    """
    settings = settings or Settings()

    async def inside(url: str) -> Result:
        async with opening(settings, url) as given:
            return await work(given)

    with workspace(settings) as url:
        return asyncio.run(inside(url))
