"""What sweeps have done, kept so that every process of the service can export it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .database import Connection

Change = tuple[str, str, str]
"""The state before, the state after, the rule."""
CHANGES: Final = """
SELECT change->>0, change->>1, change->>2, sum((change->>3)::bigint)::bigint
FROM sweeps, json_array_elements(changes) AS change GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Sweeps:
    """How often each change was made, by all sweeps together, and when the newest came to its end."""

    changes: Mapping[Change, int] = field(default_factory=dict)
    finished_at: datetime | None = None


async def begin(connection: Connection) -> int:
    """Write down that a sweep has begun; give its number."""
    number: int = await connection.fetchval("INSERT INTO sweeps DEFAULT VALUES RETURNING sweep_id")
    return number


async def tell(connection: Connection, sweep_id: int, changes: Counter[Change]) -> None:
    """Write down all changes that a sweep has made, in the transaction that makes the last of them."""
    told = [[*change, count] for change, count in sorted(changes.items())]
    await connection.execute(
        "UPDATE sweeps SET changes = $2::json WHERE sweep_id = $1", sweep_id, json.dumps(told)
    )


async def finish(connection: Connection, sweep_id: int) -> None:
    """Write down that a sweep has come to its end."""
    await connection.execute("UPDATE sweeps SET finished_at = now() WHERE sweep_id = $1", sweep_id)


async def done(connection: Connection) -> Sweeps:
    """Read what all sweeps have done."""
    rows = await connection.fetch(CHANGES)
    finished: datetime | None = await connection.fetchval("SELECT max(finished_at) FROM sweeps")
    return Sweeps({(before, after, rule): count for before, after, rule, count in rows}, finished)
