"""Who asks, and whether they may."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Final

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from ..errors import Unavailable
from ..store import keys
from ..store.database import Database
from ..store.keys import ApiKey
from .problems import Problem

CACHED_KEYS: Final = 1024
BEARER: Final = HTTPBearer(
    auto_error=False, scheme_name="apiKey", description="A key made by `buyer-tier keys create`."
)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]


class KeyRing:
    """Finds keys by their hash and remembers those found for a few seconds."""

    def __init__(
        self, database: Database, *, seconds: float, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._database, self._seconds, self._ticks = database, seconds, ticks
        self._known: OrderedDict[bytes, tuple[float, ApiKey]] = OrderedDict()
        self._renewing: dict[bytes, asyncio.Task[None]] = {}

    def remembered(self, key: bytes) -> ApiKey | None:
        """Find a key that was looked up a few seconds ago; None says only that it has to be asked for.

        One in use is looked up again before it is forgotten: all that ask at that moment would have to wait.
        """
        key_hash, now = hashlib.sha256(key).digest(), self._ticks()
        until, found = self._known.get(key_hash, (0.0, None))
        if now >= until:
            return None
        if until - now < self._seconds / 2 and key_hash not in self._renewing:
            self._renewing[key_hash] = asyncio.create_task(self._renew(key_hash))
        return found

    async def find(self, key: str) -> ApiKey | None:
        """Find a key; one that is unknown is asked for every time, so that nobody can fill the memory."""
        key_hash = keys.hashed(key)
        until, found = self._known.get(key_hash, (0.0, None))
        if found is not None and self._ticks() < until:
            return found
        return await self._looked_up(key_hash)

    async def _renew(self, key_hash: bytes) -> None:
        try:
            with suppress(Unavailable):  # then it is forgotten in its time
                await self._looked_up(key_hash)
        finally:
            del self._renewing[key_hash]

    async def _looked_up(self, key_hash: bytes) -> ApiKey | None:
        now = self._ticks()
        async with self._database.connection() as connection:
            found = await keys.find(connection, key_hash)
        self._known.pop(key_hash, None)
        if found is not None:
            self._known[key_hash] = (now + self._seconds, found)
            while len(self._known) > CACHED_KEYS:
                self._known.popitem(last=False)
        return found


def require(*scopes: str) -> Callable[[Request, Credentials], Awaitable[ApiKey]]:
    """Make the dependency that lets only keys of a scope, or of one of several, pass and gives the key."""

    async def check(request: Request, credentials: Credentials) -> ApiKey:
        if credentials is None:
            raise _unauthenticated("send `Authorization: Bearer KEY`")
        ring: KeyRing = request.app.state.keys
        now: datetime = request.app.state.clock()
        key = await ring.find(credentials.credentials)
        if key is None or not key.valid_at(now):
            raise _unauthenticated(keys.refusal(key))
        if not set(scopes) & set(key.scopes):
            raise Problem(403, f"the key lacks the scope {' or '.join(scopes)}; use one that has it")
        return key

    return check


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="buyer-tier"'})
