"""Proposed policies and what was put in force: both are only added to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from . import chains

if TYPE_CHECKING:
    from .database import Connection
    from .keys import ApiKey

CHANNEL: Final = "buyer_tier_policy"
"""Every new activation notifies it."""
Action = Literal["activate", "rollback", "stop", "resume"]
POLICIES: Final = f"SELECT {', '.join(chains.CHAINED['policies'])} FROM policies"
ACTS: Final = f"SELECT {', '.join(chains.CHAINED['policy_activations'])} FROM policy_activations"
NEXT: Final = (
    "SELECT nextval(pg_get_serial_sequence('policy_activations', 'activation_id')), clock_timestamp()"
)


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
    row = await connection.fetchrow(f"{POLICIES} WHERE version = $1", version)
    return None if row is None else Proposed(**row)


async def every(connection: Connection) -> list[Proposed]:
    """List all policies, newest first."""
    rows = await connection.fetch(f"{POLICIES} ORDER BY proposed_at DESC, version")
    return [Proposed(**row) for row in rows]


async def add(
    connection: Connection, *, version: str, content_id: str, text: str, key: ApiKey
) -> Proposed | None:
    """Store a policy; None if the version is there already."""
    await connection.execute("LOCK TABLE policies IN SHARE ROW EXCLUSIVE MODE")
    if await find(connection, version) is not None:
        return None
    at = await connection.fetchval("SELECT clock_timestamp()")
    made = (version, content_id, text, key.key_id, key.name, at)
    return Proposed(**await _insert(connection, "policies", made))


async def activations(connection: Connection) -> list[Activation]:
    """List all that was put in force, in the order of the acts."""
    rows = await connection.fetch(f"{ACTS} ORDER BY activation_id")
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
    number, at = await connection.fetchrow(NEXT)
    made = (number, action, version, starts_at, key.key_id, key.name, at, reason)
    return Activation(**await _insert(connection, "policy_activations", made))


async def _insert(connection: Connection, table: str, values: tuple[Any, ...]) -> dict[str, Any]:
    """Chain a row and give it by column; what the database could fill in was asked of it, to be hashed."""
    chained = (await chains.take(connection)).chained(table, values)
    columns = chains.CHAINED[table]
    await connection.copy_records_to_table(table, records=[chained], columns=(*columns, *chains.LINK))
    return dict(zip(columns, values, strict=True))
