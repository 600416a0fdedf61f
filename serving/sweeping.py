"""Move all standings on: what the log says and no decision has heard of yet, scores, links, ended terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from decisions.policy import Policy
from decisions.request import BuyerEvidence
from decisions.standing_events import as_record, from_record, rebuild
from models.buyer_score import BuyerScore
from models.deciding.moving import Moved
from models.deciding.sweeping import Night, PeerVerdict
from models.evidence import buyer_evidence

from .histories import Known, known_of
from .store import decisions as decision_store
from .store import peers, profiles, shops, standings, sweeps
from .store.database import Database
from .store.sweeps import Change

if TYPE_CHECKING:
    from .store.database import Connection

BUYERS_AT_ONCE: Final = 200
"""Their decisions wait until the transaction ends."""


async def sweep(
    database: Database,
    *,
    policy: Policy,
    now: datetime,
    progress: Callable[[int, int], None],
    score: Callable[[], BuyerScore] | None = None,
) -> dict[str, int]:
    """Measure the shops, then move every standing of which something is due, some hundred a transaction.

    Every buyer is scored where the policy watches scores. Nothing is written of a buyer of whom nothing was
    ever heard and whose score is not low. A sweep that was broken off goes on where it is run again: what
    was moved is not moved twice.

    Parameters
    ----------
    score : callable, optional
        Gives the score in charge; asked only if the policy watches scores.

    Returns
    -------
    dict
        How many shops were measured, buyers looked at, and transitions made.
    """
    night = Night(policy, now)
    watches = score is not None and night.watches_scores
    async with database.transaction() as connection:
        number = await sweeps.begin(connection)
        measured = await shops.measure(connection, now)
        linked = await peers.verdicts(connection) if policy.standing.points.linked_abuse else {}
        names = set(await standings.due(connection, now)) | set(linked)
        if watches:
            names.update(await standings.everyone(connection))
    reading = score() if watches and score is not None else None
    made, due = Counter[Change](), sorted(names)
    for start in range(0, len(due), BUYERS_AT_ONCE):
        some = due[start : start + BUYERS_AT_ONCE]
        async with database.transaction() as connection:
            await decision_store.take_turn(connection, some)
            moved = await _moved(connection, some, night, linked, reading)
            await standings.save(connection, moved)
            made.update((t.from_state, t.to_state, t.rule) for one in moved for t in one.transitions)
            if any(one.transitions for one in moved):
                await sweeps.tell(connection, number, made)
        progress(start + len(some), len(due))
    async with database.transaction() as connection:
        await sweeps.finish(connection, number)
    return {"shops": measured, "buyers": len(due), "transitions": made.total()}


async def _moved(
    connection: Connection,
    buyer_ids: list[str],
    night: Night,
    linked: Mapping[str, Sequence[PeerVerdict]],
    score: BuyerScore | None,
) -> list[Moved]:
    heard = await standings.read(connection, buyer_ids)
    reads = {} if score is None else await _read(connection, buyer_ids, night.now, score)
    found = (
        night.moved(buyer_id, one, linked=linked.get(buyer_id, ()), read=reads.get(buyer_id))
        for buyer_id, one in zip(buyer_ids, heard, strict=True)
    )
    return [one for one in found if one is not None]


async def _read(
    connection: Connection, buyer_ids: list[str], now: datetime, score: BuyerScore
) -> dict[str, BuyerEvidence]:
    """Score buyers and keep their histories; one whose events cannot be evaluated is left out."""
    found = await profiles.read(connection, buyer_ids)
    known = await known_of(connection, [(b, now) for b in buyer_ids], found)
    await profiles.save(connection, [one.keep for one in known if isinstance(one, Known) and one.keep])
    return {
        buyer_id: buyer_evidence(one.vector, score=score)
        for buyer_id, one in zip(buyer_ids, known, strict=True)
        if isinstance(one, Known)
    }


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
