"""Splits in time: what is learned from was complete before what is judged began."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from features.errors import BadInput

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


class NoMatureSnapshot(BadInput):
    """No label is complete yet; says from when one will be."""


@dataclass(frozen=True)
class Split:
    """Snapshots to learn from, to judge on, and those whose labels are still open."""

    train: tuple[datetime, ...]
    test: tuple[datetime, ...]
    immature: tuple[datetime, ...]


def complete_before(snapshots: Sequence[datetime], until: datetime, *, maturity: timedelta) -> list[datetime]:
    """Snapshots whose labels were known by `until`."""
    return [t for t in sorted(snapshots) if t + maturity <= until]


def split_in_time(
    snapshots: Sequence[datetime], *, known_until: datetime, maturity: timedelta, n_test: int
) -> Split:
    """Judge on the latest mature snapshots and learn from those complete by the first of them.

    Fewer than `n_test` are judged on if nothing would be left to learn from otherwise. Snapshots after
    `known_until` only serve to say from when a history will be long enough.

    Raises
    ------
    NoMatureSnapshot
        Not even one snapshot can be judged by a model that learned from another.
    """
    ordered = sorted(snapshots)
    mature = complete_before(ordered, known_until, maturity=maturity)
    for n in range(n_test, 0, -1):
        test = mature[-n:]
        train = complete_before(mature, test[0], maturity=maturity) if test else []
        if train:
            open_yet = (t for t in ordered if t not in mature and t <= known_until)
            return Split(tuple(train), tuple(test), tuple(open_yet))
    raise NoMatureSnapshot(_not_yet(ordered, known_until=known_until, maturity=maturity))


def _not_yet(ordered: list[datetime], *, known_until: datetime, maturity: timedelta) -> str:
    days = maturity.days
    if not ordered:
        return f"the history up to {known_until:%Y-%m-%d} is too short for a single snapshot"
    judged = next((t for t in ordered if t >= ordered[0] + maturity), ordered[0] + maturity)
    return (
        f"no snapshot can be judged yet: labels take {days} days to mature, those to learn from "
        f"{ordered[0]:%Y-%m-%d} and those to judge on {judged:%Y-%m-%d}; "
        f"the history ends {known_until:%Y-%m-%d}, train again from {judged + maturity:%Y-%m-%d}"
    )


def inner_folds(
    as_of: NDArray[np.int64],
    y: NDArray[np.int64],
    *,
    complete_at: NDArray[np.int64],
    judged: NDArray[np.bool_],
    n_folds: int,
) -> list[Fold] | None:
    """Folds that validate on each of the latest snapshots a model of what was complete by it.

    Parameters
    ----------
    as_of, complete_at : ndarray of shape (n,)
        When a row was taken and when its label was complete, in microseconds since the epoch.
    y : ndarray of shape (n,)
        Labels; every part of a fold must hold both classes.
    judged : ndarray of bool of shape (n,)
        Rows that may be validated on; the others are only learned from.

    Returns
    -------
    list of (train, valid) row positions, oldest first, or None if fewer than two are possible; then only
    folds by buyer keep a buyer's overlapping labels apart.
    """
    folds: list[Fold] = []
    for snapshot in np.unique(as_of[judged])[::-1]:
        train = np.flatnonzero(complete_at <= snapshot)
        valid = np.flatnonzero((as_of == snapshot) & judged)
        if len(folds) < n_folds and _both(y[train]) and _both(y[valid]):
            folds.append((train, valid))
    return folds[::-1] if len(folds) >= 2 else None


def _both(y: NDArray[np.int64]) -> bool:
    return 0 < int(y.sum()) < len(y)
