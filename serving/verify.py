"""Recompute the vectors of stored decisions by the batch engine, and explain whatever differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.batch import feature_table
from features.catalog import CATALOG
from features.events import SCHEMA, TIMESTAMP
from features.skew import (
    ALTERED,
    LATE,
    LOST,
    UNEXPLAINED,
    Flags,
    Meaning,
    Vectors,
    causes_of,
    in_columns_of,
    meanings,
    unequal,
)
from features.sources.selection import events_about

from .arrivals import Arrivals, Rows, side_by_side
from .decision_table import matrix_of
from .store import readback
from .store.arrow import Cursor, snapshot

AT_ONCE: Final = 20_000
"""Decisions whose histories are held in memory together."""

OnDone = Callable[[int, int], None]


@dataclass(frozen=True)
class Example:
    """One value that differs."""

    decision_id: str
    stored: float
    offline: float


@dataclass
class Skew:
    """What a verification found.

    Attributes
    ----------
    decisions : int
        How many were drawn.
    compared : int
        How many of them have any feature that can be compared.
    differing : int
        How many of them differ anywhere.
    by_cause : counter
        Differing decisions by cause; one may have several.
    by_feature : dict of (feature, cause) to int
        Decisions by what differs and why.
    examples : dict of (feature, cause) to Example
        The first of each.
    other_catalogs : dict of str to int
        Decisions made on another catalog than this code's; they are compared in what both mean alike.
    not_compared : dict of str to int
        Of such a catalog, how many of this code's features it does not have or meant otherwise.
    """

    decisions: int = 0
    compared: int = 0
    differing: int = 0
    by_cause: Counter[str] = field(default_factory=Counter)
    by_feature: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], Example] = field(default_factory=dict)
    other_catalogs: Counter[str] = field(default_factory=Counter)
    not_compared: dict[str, int] = field(default_factory=dict)

    @property
    def unexplained(self) -> int:
        """Decisions with a difference that nothing explains."""
        return self.by_cause[UNEXPLAINED]


def verify(
    url: str,
    *,
    sample: int | None,
    since: datetime | None = None,
    seed: int = 0,
    log: Path | None = None,
    on_done: OnDone = lambda _done, _of: None,
) -> Skew:
    """Compare stored vectors with what the event log gives at the decisions' instants.

    Parameters
    ----------
    url : str
        The service's database, migrated.
    sample : int or None
        How many decisions to draw; None takes all.
    since : datetime, optional
        Only decisions made from then on.
    seed : int
        The same seed draws the same decisions.
    log : Path, optional
        An offline event log; by default the log is the service's own.
    on_done : callable
        Told (decisions compared, decisions in all).

    Raises
    ------
    BadInput
        The log cannot be used as it is, or a stored vector has not its catalog's length.
    Unavailable
        The database is away.
    """
    skew = Skew()
    with snapshot(url) as cursor:
        catalogs = readback.catalogs(cursor)
        ids = readback.decision_ids(cursor, since=since, sample=sample, seed=seed)
        for start in range(0, len(ids), AT_ONCE):
            some = readback.stored_vectors(cursor, ids[start : start + AT_ONCE])
            _compare(cursor, some, catalogs, log, skew)
            on_done(skew.decisions, len(ids))
    return skew


def _compare(
    cursor: Cursor, decisions: pa.Table, catalogs: dict[str, list[Meaning]], log: Path | None, skew: Skew
) -> None:
    offline, arrivals, in_offline = _logs(cursor, decisions["buyer_id"].unique(), log)
    spine = pa.table({"buyer_id": decisions["buyer_id"], "as_of": decisions["requested_at"].cast(TIMESTAMP)})
    found = _vectors(offline, spine)
    stored, comparable = _stored(decisions, catalogs, skew)
    differs = unequal(stored, found) & comparable
    skew.decisions += len(decisions)
    skew.compared += int(comparable.any(axis=1).sum())
    for row in np.flatnonzero(differs.any(axis=1)).tolist():
        decision = {name: decisions[name][row].as_py() for name in decisions.column_names}
        wanted = np.where(comparable[row], stored[row], found[row])
        causes = _explained(wanted, found[row], decision, arrivals, in_offline)
        _note(skew, decision["decision_id"], causes, wanted, found[row])


def _logs(cursor: Cursor, buyers: pa.Array, log: Path | None) -> tuple[pa.Table, Arrivals, Flags]:
    """Read all that the buyers' features rest on: offline, and side by side with what the service has."""
    stored = readback.events_about(cursor, buyers)
    if log is None:
        return stored.select(SCHEMA.names).cast(SCHEMA), Arrivals(stored), np.ones(len(stored), dtype=bool)
    ids = stored["event_id"].combine_chunks()
    offline = events_about(log, buyers, also=ids)
    elsewhere = offline["event_id"].filter(pc.invert(pc.is_in(offline["event_id"], ids))).combine_chunks()
    stored = pa.concat_tables([stored, readback.events_by_id(cursor, elsewhere)])
    return offline, *side_by_side(offline, stored)


def _vectors(events: pa.Table, spine: pa.Table) -> Vectors:
    table = feature_table(events, spine)
    return np.column_stack([table[name].to_numpy() for name in CATALOG.names])


def _stored(decisions: pa.Table, catalogs: dict[str, list[Meaning]], skew: Skew) -> tuple[Vectors, Flags]:
    """Bring the stored vectors into this code's columns, with which of them can be compared."""
    now, versions = meanings(CATALOG), np.asarray(decisions["catalog_version"].to_pylist())
    vectors = np.full((len(decisions), len(now)), np.nan)
    comparable = np.zeros(vectors.shape, dtype=bool)
    for version in sorted(set(versions.tolist())):
        rows = np.flatnonzero(versions == version)
        columns = now if version == CATALOG.version else catalogs.get(version, [])
        if columns:
            matrix = matrix_of(decisions["vector"].take(pa.array(rows)), len(columns))
            vectors[rows], comparable[rows] = in_columns_of(matrix, columns, now)
        if version != CATALOG.version:
            skew.other_catalogs[version] += len(rows)
            skew.not_compared[version] = int((~comparable[rows[0]]).sum())
    return vectors, comparable


def _explained(
    stored: Vectors, offline: Vectors, decision: dict[str, Any], arrivals: Arrivals, in_offline: Flags
) -> dict[int, list[str]]:
    """Undo cause after cause until the log is what the decision saw; the first guess to get there counts."""
    rows = arrivals.about(decision["buyer_id"], decision["requested_at"])
    guesses = arrivals.late(rows, seen=decision["seen"], decided_at=decision["decided_at"])
    first: dict[int, list[str]] | None = None
    for late in guesses:
        steps = _steps(rows, late, decision, arrivals, in_offline)
        causes = causes_of(stored, offline, list(steps))
        if not any(UNEXPLAINED in found for found in causes.values()):
            return causes
        first = causes if first is None else first
    return first or {}


def _steps(
    rows: Rows, late: Rows, decision: dict[str, Any], arrivals: Arrivals, in_offline: Flags
) -> Iterator[tuple[str, Vectors]]:
    as_of = pa.array([decision["requested_at"]], TIMESTAMP)
    spine = pa.table({"buyer_id": [decision["buyer_id"]], "as_of": as_of})
    both, seen = rows[in_offline[rows]], np.setdiff1d(rows, late)
    for cause, there in ((ALTERED, both), (LOST, np.union1d(both, seen)), (LATE, seen)):
        events = arrivals.events.take(pa.array(there)).select(SCHEMA.names)
        yield cause, _vectors(events, spine)[0]


def _note(
    skew: Skew, decision_id: str, causes: dict[int, list[str]], stored: Vectors, offline: Vectors
) -> None:
    skew.differing += 1
    skew.by_cause.update({cause for found in causes.values() for cause in found})
    for column, found in causes.items():
        for cause in found:
            key = (CATALOG.names[column], cause)
            skew.by_feature[key] += 1
            example = Example(decision_id, float(stored[column]), float(offline[column]))
            skew.examples.setdefault(key, example)
