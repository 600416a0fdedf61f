"""API keys: who may ask for what.

A key is 256 random bits, so its SHA-256 says nothing about it: a slow hash protects secrets that can be
guessed, and would cost every request milliseconds. Looking the hash up in an index leaks at most the
time of a comparison of hashes, from which no key can be made; so no constant-time comparison is needed.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .database import Connection

SCOPES: Final = (
    *("decide", "score:read", "events:write", "policy:propose", "policy:activate"),
    *("standing:read", "standing:write", "appeals:decide", "audit:read"),
)
PREFIX: Final = "bt_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the database knows it, that is, without the key."""

    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    def valid_at(self, now: datetime) -> bool:
        """Tell whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def refusal(key: ApiKey | None) -> str:
    """Say why a key is refused and what to do; only its holder learns more than "unknown"."""
    if key is None:
        found = "unknown"
    elif key.revoked_at is not None:
        found = f"revoked since {key.revoked_at:%Y-%m-%d %H:%M} UTC"
    else:
        found = f"expired since {key.expires_at:%Y-%m-%d %H:%M} UTC"
    return f"the key is {found}; `buyer-tier keys create` makes one"


COLUMNS: Final = "key_id, name, scopes, created_at, expires_at, revoked_at"


def hashed(key: str) -> bytes:
    """Hash a key as it is kept."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


async def create(
    connection: Connection, *, name: str, scopes: tuple[str, ...], now: datetime, expires_at: datetime | None
) -> tuple[str, ApiKey]:
    """Make a key; the first value is the key itself, which nobody can read again."""
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(secrets.token_hex(6), name, scopes, now, expires_at, None)
    await connection.execute(
        f"INSERT INTO api_keys ({COLUMNS}, key_hash) VALUES ($1, $2, $3, $4, $5, NULL, $6)",
        row.key_id,
        name,
        list(scopes),
        now,
        expires_at,
        hashed(key),
    )
    return key, row


async def find(connection: Connection, key_hash: bytes) -> ApiKey | None:
    """Find a key by its hash."""
    return _key(await connection.fetchrow(f"SELECT {COLUMNS} FROM api_keys WHERE key_hash = $1", key_hash))


async def every(connection: Connection) -> list[ApiKey]:
    """List all keys, oldest first."""
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM api_keys ORDER BY created_at, key_id")
    return [key for row in rows if (key := _key(row))]


async def revoke(connection: Connection, key_id: str, now: datetime) -> ApiKey | None:
    """Revoke a key from now on; None if there is no such key. Revoking again changes nothing."""
    query = f"UPDATE api_keys SET revoked_at = coalesce(revoked_at, $2) WHERE key_id = $1 RETURNING {COLUMNS}"
    return _key(await connection.fetchrow(query, key_id, now))


def _key(row: Any) -> ApiKey | None:
    return None if row is None else ApiKey(**{**row, "scopes": tuple(row["scopes"])})
