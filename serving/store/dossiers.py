"""What a decision was made from, beside its own row: the policy's text, the standing's changes, its chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from decisions.chain import digest
from features.skew import Meaning
from models.deciding.row import DecisionRow

from . import policies
from .chains import CHAINED, canonical
from .decisions import COLUMNS
from .policies import Proposed

if TYPE_CHECKING:
    from .database import Connection

AFTER: Final = f"SELECT {COLUMNS} FROM decisions WHERE decision_id > $1 ORDER BY decision_id LIMIT $2"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a record is chained; ``digest`` is of its bytes as they are stored now."""

    chain: int
    place: int
    digest: bytes
    hash: bytes


async def place_of(connection: Connection, row: DecisionRow) -> Place:
    """Find a decision's place in its chain."""
    chain, place, hash = await connection.fetchrow(
        "SELECT chain, place, hash FROM decisions WHERE decision_id = $1", row.decision_id
    )
    values = [getattr(row, name) for name in CHAINED["decisions"]]
    return Place(chain=chain, place=place, digest=digest(canonical("decisions", values)), hash=hash)


async def after(connection: Connection, decision_id: str, *, limit: int) -> list[DecisionRow]:
    """Give the decisions that follow an id, oldest first."""
    return [DecisionRow(**row) for row in await connection.fetch(AFTER, decision_id, limit)]


async def policy_text(connection: Connection, version: str) -> Proposed | None:
    """Find the stored policy that a decision's version begins with; None for a shipped one."""
    return await policies.find(connection, version.partition("+")[0])


async def catalog_columns(connection: Connection, version: str) -> Sequence[Meaning] | None:
    """Give what the columns of a catalog's vectors are; None if nobody remembers."""
    found = await connection.fetchval(
        "SELECT features::text FROM catalogs WHERE catalog_version = $1", version
    )
    return None if found is None else [(n, m) for n, m in msgspec.json.decode(found)]


async def transitions_until(
    connection: Connection, row: DecisionRow, version: int | None
) -> list[dict[str, Any]]:
    """Give the changes of a buyer's standing that a decision knew of, the first first.

    Parameters
    ----------
    version : int, optional
        How many there were; None: those from before the instant of the decision.
    """
    rows = await connection.fetch(
        "SELECT event FROM standing_transitions WHERE buyer_id = $1 "
        "AND (version <= $2 OR ($2::bigint IS NULL AND at < $3)) ORDER BY version",
        row.buyer_id,
        version,
        row.decided_at,
    )
    return [msgspec.json.decode(event) for (event,) in rows]
