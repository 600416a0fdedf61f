"""``buyer-tier decide --replay``: decide again from what was stored, and compare the bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from models.deciding.row import DecisionRow
    from serving.replaying import Difference, Replayer
    from serving.store.database import Connection, Database

ALL = "all"
PAGE = 500
SHOWN = 20
"""Decisions that differ and are listed; --json lists as many."""


def replay(which: str, *, since: datetime | None, as_json: bool) -> None:
    """Replay one decision or all; exit code 1 if a byte differs."""
    if which == ALL:
        _all(since, as_json=as_json)
    else:
        _one(which, as_json=as_json)


def _one(decision_id: str, *, as_json: bool) -> None:
    from buyer_tier.console import emit, out

    row, found = _replayed(decision_id)
    if as_json:
        listed = [asdict(one) for one in found]
        emit({"decision_id": row.decision_id, "same_bytes": not found, "differences": listed})
    else:
        made = f"model {row.model_version}, policy {row.policy_version}, decided at {row.decided_at}"
        said = "same bytes" if not found else f"{len(found)} field{'s' * (len(found) > 1)} differ"
        out.print(f"{row.decision_id}: {said} ({made})", highlight=False, markup=False, soft_wrap=True)
        _print(found)
    if found:
        raise typer.Exit(1)


def _print(found: list[Difference]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import out

    table = Table("field", "stored", "recomputed")
    for one in found:
        table.add_row(*(escape(str(value)) for value in (one.field, one.stored, one.recomputed)))
    if found:
        out.print(table)


def _replayed(decision_id: str) -> tuple[DecisionRow, list[Difference]]:
    from features.errors import BadInput
    from serving.direct import replaying
    from serving.session import run
    from serving.store import decisions as store

    async def work(given: tuple[Replayer, Database]) -> tuple[DecisionRow, list[Difference]]:
        replayer, database = given
        async with database.connection() as connection:
            row = await store.find(connection, decision_id)
            if row is None:
                raise BadInput(store.no_such(decision_id))
            return row, await replayer.replay(connection, row)

    return run(replaying, work)


def _all(since: datetime | None, *, as_json: bool) -> None:
    from buyer_tier.console import emit, out

    found = _every(since)
    if as_json:
        emit(found)
    else:
        for one in found["differing"]:
            fields = ", ".join(one["fields"])
            out.print(f"{one['decision_id']}: {fields}", markup=False, highlight=False, soft_wrap=True)
        for why, count in found["not_replayed"].items():
            out.print(f"{count:,} not replayed: {why}", markup=False, highlight=False, soft_wrap=True)
        out.print(f"{found['same_bytes']:,} decisions gave the same bytes, {found['different']:,} did not")
    if found["different"]:
        raise typer.Exit(1)
    if found["not_replayed"]:
        raise typer.Exit(2)


def _every(since: datetime | None) -> dict[str, Any]:
    from rich.progress import Progress

    from buyer_tier.console import err
    from serving.direct import replaying
    from serving.session import run

    async def work(given: tuple[Replayer, Database]) -> dict[str, Any]:
        (replayer, database), tally = given, _Tally()
        with Progress(console=err) as progress:
            task = progress.add_task("decisions", total=None)
            async for connection, row in _rows(database, since):
                await tally.add(replayer, connection, row)
                progress.advance(task)
        return tally.document()

    return run(replaying, work)


async def _rows(database: Database, since: datetime | None) -> AsyncIterator[tuple[Connection, DecisionRow]]:
    from serving.store import dossiers
    from serving.store.ids import first_id

    last = "" if since is None else first_id(since)
    async with database.connection() as connection:
        while rows := await dossiers.after(connection, last, limit=PAGE):
            for row in rows:
                yield connection, row
            last = rows[-1].decision_id


class _Tally:
    def __init__(self) -> None:
        self.same, self.different = 0, 0
        self.listed: list[dict[str, Any]] = []
        self.left: Counter[str] = Counter()

    async def add(self, replayer: Replayer, connection: Connection, row: DecisionRow) -> None:
        from features.errors import BadInput

        try:
            found = await replayer.replay(connection, row)
        except BadInput as error:
            self.left[str(error)] += 1
            return
        self.same += not found
        self.different += bool(found)
        if found and len(self.listed) < SHOWN:
            self.listed.append({"decision_id": row.decision_id, "fields": [one.field for one in found]})

    def document(self) -> dict[str, Any]:
        counts = {"same_bytes": self.same, "different": self.different}
        return {**counts, "differing": self.listed, "not_replayed": dict(self.left)}
