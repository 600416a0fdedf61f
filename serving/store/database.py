"""A pool of connections that waits a bounded time and says plainly when the database is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import asyncpg

from ..errors import Unavailable
from .migrate import newest_version

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = PoolConnectionProxy[Any] | asyncpg.Connection[Any]

PASSING: Final = ("08", "25006", "40", "53", "55", "57", "58")
"""Classes of errors that a later attempt may not meet: connection lost, read-only, deadlock, no room,
locked, shutting down or cancelled, system trouble."""

SESSION: Final = {
    "application_name": "buyer-tier",
    "timezone": "UTC",
    "default_transaction_isolation": "read committed",
    "synchronous_commit": "on",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
}
"""Every query of the service looks a few rows up by an index: planning it anew, or compiling it, costs more
than running it. In a stricter isolation, which a database may have as its default, a decision that waited its
turn would not see the one that it waited for; where commits do not wait for the disk, an answer would outlive
its decision."""


READY: Final = "SELECT version_num, current_setting('transaction_read_only')::bool FROM alembic_version"


async def _kept(_connection: object) -> None:
    """Take a connection back as it is: nothing of a session is ever set, and to reset it is a round trip."""


class Database:
    """The service's connections to PostgreSQL.

    Parameters
    ----------
    url : str
        ``postgresql://…``
    size : int
        Most connections at once; none is opened before it is needed.
    timeout : float
        Seconds that a connection, a place in the pool or a statement may take.
    """

    def __init__(self, url: str, *, size: int, timeout: float) -> None:
        self._url, self._size, self._timeout = url, size, timeout
        self._pool: asyncpg.Pool[Any] | None = None

    async def open(self) -> None:
        """Make the pool; the database need not be there yet."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=0,
            max_size=self._size,
            timeout=self._timeout,
            command_timeout=self._timeout,
            server_settings=SESSION,
            reset=_kept,
        )

    async def close(self) -> None:
        """Wait for what is under way, but not for ever, then let go."""
        if self._pool is None:
            return
        with suppress(TimeoutError):
            await asyncio.wait_for(self._pool.close(), self._timeout)
        self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection.

        Raises
        ------
        Unavailable
            There is none within the time, or it was lost on the way.
        """
        if self._pool is None:
            raise Unavailable("database", "the service has not opened it yet")
        with _named():
            async with self._pool.acquire(timeout=self._timeout) as connection:
                yield connection

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Connection]:
        """Lend a connection of its own, not of the pool, to whoever keeps it for long."""
        with _named():
            connection: asyncpg.Connection[Any] = await asyncpg.connect(
                self._url,
                timeout=self._timeout,
                command_timeout=self._timeout,
                server_settings=SESSION,
            )
            try:
                yield connection
            finally:
                connection.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside one transaction, which is durable when this ends without an error."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def check(self) -> None:
        """Raise Unavailable unless the database answers, takes writes and has the schema of this code."""
        async with self.connection() as connection:
            found, read_only = await connection.fetchrow(READY) or (None, False)
        if read_only:
            raise Unavailable("database", "it is read-only")
        if found != newest_version():
            raise Unavailable("database", f"its schema is {found}, this service needs {newest_version()}")


@contextmanager
def _named() -> Iterator[None]:
    """Turn errors that may pass into Unavailable; others, being bugs, go on as they are."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        # InternalClientError: what asyncpg makes of a connection that broke in the middle of an operation
        if (reason := _passing(error)) is None:
            raise
        raise Unavailable("database", reason) from error


def _passing(error: Exception) -> str | None:
    if isinstance(error, asyncpg.UndefinedTableError):
        return "its tables are missing, migrate it"
    if isinstance(error, asyncpg.PostgresError):
        state = getattr(error, "sqlstate", None) or ""
        return f"PostgreSQL answered {type(error).__name__}" if state.startswith(PASSING) else None
    return "no answer in time" if isinstance(error, TimeoutError) else "the connection failed"
