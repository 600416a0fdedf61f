"""Move all standings on: what the log says and no decision has heard of yet, scores, links, ended terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from decisions.policy import Policy
from decisions.standing import Signal
from decisions.standing_events import as_record, from_record, rebuild
from decisions.standing_machine import advance
from decisions.tiers import has_enough_history
from models.buyer_score import BuyerScore
from models.deciding.moving import Moved
from models.evidence import assess_vector

from .histories import Known, known_of
from .store import decisions as decision_store
from .store import peers, profiles, shops, standings, sweeps
from .store.database import Database
from .store.peers import PeerVerdict
from .store.standings import Heard
from .store.sweeps import Change

if TYPE_CHECKING:
    from .store.database import Connection

BUYERS_AT_ONCE: Final = 200
"""Their decisions wait until the transaction ends."""


@dataclass(frozen=True, kw_only=True)
class _Night:
    """What one sweep goes by; ``score`` is None where the policy does not watch scores."""

    policy: Policy
    now: datetime
    score: BuyerScore | None
    linked: dict[str, list[PeerVerdict]] = field(default_factory=dict)

    def moved(self, buyer_id: str, heard: Heard, read: Signal | None) -> Moved | None:
        """Move one standing; None if there is nothing to keep."""
        before = heard.standing()
        signals = heard.told(self.now)
        signals += peers.signals(self.linked.get(buyer_id, []), before, self.now)
        if read is not None and (heard.record is not None or self._is_low(read)):
            signals.append(read)
        after, changed = advance(before, signals, self.policy, self.now)
        if not changed and heard.signals is None:
            return None
        return Moved(buyer_id, after, changed, heard.seen)

    def _is_low(self, read: Signal) -> bool:
        below = self.policy.standing.watch_below_score
        return below is not None and read.score is not None and read.score < below


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
    watches = score is not None and policy.standing.watch_below_score is not None
    async with database.transaction() as connection:
        number = await sweeps.begin(connection)
        measured = await shops.measure(connection, now)
        linked = await peers.verdicts(connection) if policy.standing.points.linked_abuse else {}
        names = set(await standings.due(connection, now)) | set(linked)
        if watches:
            names.update(await standings.everyone(connection))
    night = _Night(
        policy=policy, now=now, score=score() if watches and score is not None else None, linked=linked
    )
    made, due = Counter[Change](), sorted(names)
    for start in range(0, len(due), BUYERS_AT_ONCE):
        some = due[start : start + BUYERS_AT_ONCE]
        async with database.transaction() as connection:
            await decision_store.take_turn(connection, some)
            moved = await _moved(connection, some, night)
            await standings.save(connection, moved)
            made.update((t.from_state, t.to_state, t.rule) for one in moved for t in one.transitions)
            if any(one.transitions for one in moved):
                await sweeps.tell(connection, number, made)
        progress(start + len(some), len(due))
    async with database.transaction() as connection:
        await sweeps.finish(connection, number)
    return {"shops": measured, "buyers": len(due), "transitions": made.total()}


async def _moved(connection: Connection, buyer_ids: list[str], night: _Night) -> list[Moved]:
    heard = await standings.read(connection, buyer_ids)
    reads = await _scored(connection, buyer_ids, night)
    found = (night.moved(b, one, reads.get(b)) for b, one in zip(buyer_ids, heard, strict=True))
    return [one for one in found if one is not None]


async def _scored(connection: Connection, buyer_ids: list[str], night: _Night) -> dict[str, Signal]:
    """Score buyers and keep their histories; one whose events cannot be evaluated is left out."""
    if night.score is None:
        return {}
    found = await profiles.read(connection, buyer_ids)
    known = await known_of(connection, [(b, night.now) for b in buyer_ids], found)
    await profiles.save(connection, [one.keep for one in known if isinstance(one, Known) and one.keep])
    reads = {}
    for buyer_id, one in zip(buyer_ids, known, strict=True):
        if isinstance(one, Known):
            made = assess_vector(one.vector, buyer_id=buyer_id, as_of=night.now, score=night.score)
            reads[buyer_id] = Signal(
                signal_id=f"swept:{night.now.isoformat()}",
                kind="scored",
                at=night.now,
                score=made.evidence.score,
                enough_history=has_enough_history(made.evidence, night.policy),
            )
    return reads


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
