"""What verifications found, kept so that every process of the service can export it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .database import Connection


@dataclass(frozen=True, slots=True)
class SkewCheck:
    """A verification's counts and when it was made, by the database's clock."""

    checked_at: datetime
    summary: dict[str, Any]


async def add(connection: Connection, summary: dict[str, Any]) -> None:
    """Keep what a verification found."""
    await connection.execute("INSERT INTO skew_checks (summary) VALUES ($1::json)", json.dumps(summary))


async def newest(connection: Connection) -> SkewCheck | None:
    """Read the newest; None before the first."""
    row = await connection.fetchrow(
        "SELECT checked_at, summary::text AS summary FROM skew_checks ORDER BY check_id DESC LIMIT 1"
    )
    return None if row is None else SkewCheck(row["checked_at"], json.loads(row["summary"]))
