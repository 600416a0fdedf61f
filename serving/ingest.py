"""Events sent one batch at a time: each is accepted, known already, or rejected with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from pydantic import BaseModel, ValidationError

from features.checks import check_events
from features.events import SCHEMA

from .store import events as event_store
from .store.database import Database

Status = Literal["accepted", "duplicate", "rejected"]
OTHER_CONTENT = "an event with this event_id and other content is stored already"
OTHER_IN_BATCH = "an earlier event of this batch has the same event_id and other content"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one event."""

    event_id: str | None
    status: Status
    reason: str | None = None


async def ingest(database: Database, sent: Sequence[Any], *, model: type[BaseModel]) -> list[Fate]:
    """Store what can be stored; the fates come in the order of the events.

    Parameters
    ----------
    database : Database
    sent : sequence
        JSON values.
    model : type
        Fields and types of one event.
    """
    batch = await asyncio.to_thread(_Batch, sent, model)
    if batch.accepted.num_rows:
        async with database.transaction() as connection:
            known = await event_store.append(connection, batch.accepted)
    else:
        known = {}
    return batch.fates(known)


async def ingest_plain(database: Database, events: pa.Table) -> list[Fate] | None:
    """Store a batch of distinct events of the schema; none of them, and give None, if one breaks a rule."""
    report = await asyncio.to_thread(check_events, events)
    if report.rejected.num_rows:
        return None
    if not events.num_rows:
        return []
    async with database.transaction() as connection:
        known = await event_store.append(connection, report.accepted)
    return [_fate_of(event_id, known) for event_id in events["event_id"].to_pylist()]


def _fate_of(event_id: str, known: dict[str, bool]) -> Fate:
    if not known.get(event_id, True):
        return Fate(event_id, "rejected", OTHER_CONTENT)
    return Fate(event_id, "duplicate" if event_id in known else "accepted")


class _Batch:
    """A batch divided into rows to store and events already refused."""

    def __init__(self, sent: Sequence[Any], model: type[BaseModel]) -> None:
        self._read = [_read(value, model) for value in sent]
        first: dict[str, dict[str, Any]] = {}
        for row in self._read:
            if isinstance(row, dict):
                first.setdefault(row["event_id"], row)
        self._first = first
        report = check_events(pa.Table.from_pylist(list(first.values()), schema=SCHEMA))
        self.accepted = report.accepted
        rejected = report.rejected
        self._refused: dict[str, str] = (
            dict(
                zip(
                    rejected["event_id"].to_pylist(),
                    rejected["explanation"].to_pylist(),
                    strict=True,
                )
            )
            if rejected.num_rows
            else {}
        )

    def fates(self, known: dict[str, bool]) -> list[Fate]:
        """Say what became of each event; ``known`` are those that the store had, with whether they agree."""
        seen: set[str] = set()
        return [row if isinstance(row, Fate) else self._fate(row, known, seen) for row in self._read]

    def _fate(self, row: dict[str, Any], known: dict[str, bool], seen: set[str]) -> Fate:
        event_id = row["event_id"]
        repeated = event_id in seen
        seen.add(event_id)
        if row != self._first[event_id]:
            return Fate(event_id, "rejected", OTHER_IN_BATCH)
        if event_id in self._refused:
            return Fate(event_id, "rejected", self._refused[event_id])
        if not known.get(event_id, True):
            return Fate(event_id, "rejected", OTHER_CONTENT)
        return Fate(event_id, "duplicate" if repeated or event_id in known else "accepted")


def _read(value: Any, model: type[BaseModel]) -> dict[str, Any] | Fate:
    try:
        return model.model_validate(value).model_dump()
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'event'}: {_said(e)}"
            for e in error.errors(include_url=False, include_input=False)
        )
        found = value.get("event_id") if isinstance(value, dict) else None
        return Fate(found if isinstance(found, str) else None, "rejected", wrong)


def _said(error: Any) -> str:
    """Say what is wrong, without our class's name."""
    return "must be an object" if error["type"] == "model_type" else str(error["msg"])
