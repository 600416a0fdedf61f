"""Proposed policies and what was put in force: both are only added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from .database import Connection
    from .keys import ApiKey

CHANNEL: Final = "buyer_tier_policy"
"""Every new activation notifies it."""
Action = Literal["activate", "rollback", "stop", "resume"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """A stored policy; ``text`` is canonical, ``proposed_by`` the id of the key, ``proposer`` its name."""

    version: str
    content_id: str
    text: str
    proposed_by: str
    proposer: str
    proposed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Activation:
    """One act: ``version`` None is the shipped policy, ``starts_at`` None is at once."""

    activation_id: int
    action: Action
    version: str | None
    starts_at: datetime | None
    made_by: str
    maker: str
    made_at: datetime
    reason: str


async def take_turn(connection: Connection) -> None:
    """Let one at a time act until its transaction ends, so that ids grow in the order of commits."""
    await connection.execute("LOCK TABLE policy_activations IN SHARE ROW EXCLUSIVE MODE")


async def find(connection: Connection, version: str) -> Proposed | None:
    """Find a policy."""
    row = await connection.fetchrow("SELECT * FROM policies WHERE version = $1", version)
    return None if row is None else Proposed(**row)


async def every(connection: Connection) -> list[Proposed]:
    """List all policies, newest first."""
    rows = await connection.fetch("SELECT * FROM policies ORDER BY proposed_at DESC, version")
    return [Proposed(**row) for row in rows]


async def add(
    connection: Connection, *, version: str, content_id: str, text: str, key: ApiKey
) -> Proposed | None:
    """Store a policy; None if the version is there already."""
    row = await connection.fetchrow(
        "INSERT INTO policies (version, content_id, text, proposed_by, proposer) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING *",
        version,
        content_id,
        text,
        key.key_id,
        key.name,
    )
    return None if row is None else Proposed(**row)


async def activations(connection: Connection) -> list[Activation]:
    """List all that was put in force, in the order of the acts."""
    rows = await connection.fetch("SELECT * FROM policy_activations ORDER BY activation_id")
    return [Activation(**row) for row in rows]


async def act(
    connection: Connection,
    action: Action,
    *,
    version: str | None = None,
    starts_at: datetime | None = None,
    key: ApiKey,
    reason: str,
) -> Activation:
    """Write an act down and tell every service when the transaction commits."""
    row = await connection.fetchrow(
        "INSERT INTO policy_activations (action, version, starts_at, made_by, maker, reason) "
        "VALUES ($1, $2, $3, $4, $5, $6) RETURNING *",
        action,
        version,
        starts_at,
        key.key_id,
        key.name,
        reason,
    )
    return Activation(**row)
