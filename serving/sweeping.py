"""Move all standings on: what the log says and no decision has heard of yet, and terms that have ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from decisions.policy import Policy
from decisions.standing_events import as_record, from_record, rebuild
from decisions.standing_machine import advance
from models.deciding.moving import Moved

from .store import decisions as decision_store
from .store import standings
from .store.database import Database

BUYERS_AT_ONCE: Final = 500


async def sweep(
    database: Database, *, policy: Policy, now: datetime, progress: Callable[[int, int], None]
) -> dict[str, int]:
    """Move every standing of which something is due, some hundred buyers a transaction.

    Returns
    -------
    dict
        How many buyers were looked at, and how many transitions were made.
    """
    async with database.connection() as connection:
        due = await standings.due(connection, now)
    made = 0
    for start in range(0, len(due), BUYERS_AT_ONCE):
        some = due[start : start + BUYERS_AT_ONCE]
        async with database.transaction() as connection:
            await decision_store.take_turn(connection, some)
            heard = await standings.read(connection, some)
            moved = []
            for buyer_id, one in zip(some, heard, strict=True):
                standing, changed = advance(one.standing(), one.told(now), policy, now)
                moved.append(Moved(buyer_id, standing, changed, one.seen))
                made += len(changed)
            await standings.save(connection, moved)
        progress(start + len(some), len(due))
    return {"buyers": len(due), "transitions": made}


async def verify(database: Database) -> tuple[int, list[tuple[str, str]]]:
    """Build every standing again from its transitions and compare the bytes.

    Returns
    -------
    (int, list of (str, str))
        How many there are, and those that differ with what was found.
    """
    wrong, count = [], 0
    async with database.transaction() as connection:
        async for buyer_id, record, events in standings.every(connection):
            count += 1
            if (found := _fault(record, events)) is not None:
                wrong.append((buyer_id, found))
    return count, wrong


def _fault(record: bytes | None, events: list[bytes]) -> str | None:
    try:
        built = rebuild(msgspec.json.decode(event) for event in events)
    except (ValueError, KeyError, TypeError) as error:
        return f"its transitions do not follow one another: {error}"
    if record is None:
        return "there are transitions but no record"
    if msgspec.json.encode(as_record(built)) != record:
        kept = from_record(msgspec.json.decode(record))
        return (
            f"the record is {kept.state} at version {kept.version}, rebuilt {built.state} at {built.version}"
        )
    return None
