"""What people do to a standing: warn, restrict, revoke, reinstate, appeal and decide appeals."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from decisions.people import objection
from decisions.policy import Policy
from decisions.shanghai import MICROSECOND
from decisions.standing import Signal, SignalKind, Standing, Transition
from decisions.standing_machine import advance
from features.events import SCHEMA
from models.deciding.moving import Moved

from .errors import StandingConflict
from .store import decisions as decision_store
from .store import events as event_store
from .store import standings
from .store.ids import new_id

if TYPE_CHECKING:
    from .store.database import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """What a person does; ``reference`` is the appeal that is decided."""

    kind: SignalKind
    actor: str
    reason: str
    until: datetime | None = None
    reference: str | None = None


async def act(
    connection: Connection, buyer_id: str, action: Action, *, policy: Policy, now: datetime
) -> Moved:
    """Take an action and write it down, in the caller's transaction and in turn with the buyer's decisions.

    Raises
    ------
    StandingConflict
        It can have no effect; nothing is changed.
    """
    await decision_store.take_turn(connection, [buyer_id])
    heard = (await standings.read(connection, [buyer_id]))[0]
    standing, first = advance(heard.standing(), heard.told(now), policy, now)
    signal = Signal(
        signal_id=new_id(now),
        kind=action.kind,
        at=_after(standing, now),
        actor=action.actor,
        reason=action.reason,
        reference=action.reference,
        until=action.until,
    )
    if (why := objection(standing, signal)) is not None:
        raise StandingConflict(why)
    standing, then = advance(standing, [signal], policy, signal.at)
    moved = Moved(buyer_id, standing, (*first, *then), heard.seen)
    await standings.save(connection, [moved])
    await _label(connection, buyer_id, then)
    return moved


def _after(standing: Standing, now: datetime) -> datetime:
    """Date an action after all that it was taken in sight of, whatever the clock says."""
    return now if standing.latest is None else max(now, standing.latest[0] + MICROSECOND)


async def _label(connection: Connection, buyer_id: str, made: tuple[Transition, ...]) -> None:
    """Tell the log of a revocation that was overturned: labels are made of events."""
    rows = [
        dict.fromkeys(SCHEMA.names)
        | {
            "event_id": t.signal_id,
            "buyer_id": buyer_id,
            "kind": t.label,
            "occurred_at": t.at,
            "recorded_at": t.at,
            "reason": "appeal granted",
        }
        for t in made
        if t.label is not None
    ]
    if rows:
        await event_store.append(connection, pa.Table.from_pylist(rows, schema=SCHEMA))


@dataclass(frozen=True, slots=True)
class Shown:
    """A standing as it is now, with every change that was ever made."""

    standing: Standing
    history: list[dict[str, Any]]


async def look(connection: Connection, buyer_id: str, *, policy: Policy, now: datetime) -> Shown:
    """Read a standing moved on to now, without writing."""
    heard = (await standings.read(connection, [buyer_id]))[0]
    standing, changed = advance(heard.standing(), heard.told(now), policy, now)
    written = await standings.transitions(connection, buyer_id)
    return Shown(standing, written + standings.as_events(changed))
