"""Compare stored vectors, bit for bit, with what the event log gives, and explain where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from .compile import Catalog
from .declare import Windowed

Vectors: TypeAlias = npt.NDArray[np.float64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Meaning: TypeAlias = tuple[str, str]
"""A column: its name and the hash of what it means."""

LATE: Final = "late_ingestion"
LOST: Final = "lost_event"
ALTERED: Final = "altered_event"
UNEXPLAINED: Final = "unexplained"


def unequal(left: Vectors, right: Vectors) -> Flags:
    """Compare bit for bit; not-a-number equals itself, 0.0 does not equal -0.0."""
    same = left.view(np.int64) == right.view(np.int64)
    return np.asarray(~(same | (np.isnan(left) & np.isnan(right))))


def meanings(catalog: Catalog) -> list[Meaning]:
    """Give each column's name and a hash of its own declaration, whatever windows its family has besides."""
    return [(f.name, _meaning(catalog, i)) for i, f in enumerate(catalog.features)]


def _meaning(catalog: Catalog, column: int) -> str:
    feature = catalog.features[column]
    family = feature.family
    alone = replace(family, windows=(feature.window,)) if isinstance(family, Windowed) else family
    return Catalog([alone], reasons=catalog.reasons).version


def in_columns_of(
    vectors: Vectors, columns: Sequence[Meaning], wanted: Sequence[Meaning]
) -> tuple[Vectors, Flags]:
    """Bring vectors of an older catalog into another's columns.

    Returns
    -------
    vectors : (n_rows, n_wanted)
        Not-a-number where there is nothing to compare.
    comparable : (n_wanted,)
        Whether a column is in both catalogs with the same name and meaning.
    """
    at = {column: i for i, column in enumerate(columns)}
    place = np.array([at.get(column, -1) for column in wanted], dtype=np.int64)
    comparable = place >= 0
    laid = np.where(comparable, vectors[:, place], np.nan)
    return laid, np.asarray(comparable)


def causes_of(
    stored: Vectors, offline: Vectors, steps: Sequence[tuple[str, Vectors]]
) -> dict[int, list[str]]:
    """Say for each differing column of one vector what explains it.

    Parameters
    ----------
    stored, offline : (n_features,)
        What the decision was made on, and what the log gives.
    steps : sequence of (cause, (n_features,))
        What the log gives when one cause after another is undone, each on top of those before.

    Returns
    -------
    dict of int to list of str
        Column → the causes whose undoing changed it on its way to the stored value; `UNEXPLAINED` where
        it does not get there.
    """
    found: dict[int, list[str]] = {int(i): [] for i in np.flatnonzero(unequal(stored, offline))}
    before = offline
    for cause, after in steps:
        for column in np.flatnonzero(unequal(before, after)):
            if int(column) in found:
                found[int(column)].append(cause)
        before = after
    for column in np.flatnonzero(unequal(stored, before)):
        if int(column) in found:
            found[int(column)] = [UNEXPLAINED]
    return found
