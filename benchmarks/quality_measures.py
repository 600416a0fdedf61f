"""Measures of every method on the same draws of buyers, per snapshot, averaged, and as differences to ours.

A draw takes a data set's buyers with replacement, once for all its snapshots and all methods: a buyer who is
judged at four snapshots is drawn with all four rows or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.evaluate import (
    Floats,
    Interval,
    Ranked,
    average_precision,
    bootstrap_weights,
    recall_at,
    roc_auc,
)

N_DRAWS: Final = 500
MEASURES: Final[Mapping[str, Callable[[Ranked, Floats], float]]] = {
    "roc_auc": roc_auc,
    "average_precision": average_precision,
    "recall_at_fpr_0.005": partial(recall_at, false_positive_rate=0.005),
}
MEAN: Final = "mean"


@dataclass(frozen=True)
class Judged:
    """The rows of one snapshot, and every method's scores of them."""

    snapshot: str
    y: NDArray[np.int64]
    buyer: NDArray[np.int64]
    scores: Mapping[str, Floats]


@dataclass(frozen=True)
class Drawn:
    """Values of each method and measure: on all rows first, then on the draws.

    Attributes
    ----------
    snapshots : tuple of str
        The data set's snapshots; values of the mean over them are under `MEAN`.
    values : mapping of (snapshot, method, measure) to ndarray of shape (1 + n_draws,)
    """

    dataset: str
    snapshots: tuple[str, ...]
    methods: tuple[str, ...]
    n: Mapping[str, int]
    events: Mapping[str, int]
    values: Mapping[tuple[str, str, str], Floats]

    def of(self, method: str, measure: str, *, at: str = MEAN) -> Interval:
        """A method's value."""
        return interval(self.values[at, method, measure])

    def ahead(self, ours: str, other: str, measure: str, *, at: str = MEAN) -> Interval:
        """Ours minus another, on the same draws."""
        return interval(self.values[at, ours, measure] - self.values[at, other, measure])

    def share(self, ours: str, other: str, measure: str, *, at: str = MEAN) -> Interval:
        """Ours divided by another, on the same draws."""
        return interval(self.values[at, ours, measure] / self.values[at, other, measure])


def interval(values: Floats) -> Interval:
    """Take the value on all rows and the middle 95% of the draws (a draw without a positive says nothing)."""
    low, high = np.nanquantile(values[1:], [0.025, 0.975])
    return Interval(float(values[0]), float(low), float(high))


def draw(dataset: str, judged: Sequence[Judged], *, seed: int, n_draws: int = N_DRAWS) -> Drawn:
    """Measure all methods on all rows and on draws of the data set's buyers."""
    buyers, at = np.unique(np.concatenate([rows.buyer for rows in judged]), return_inverse=True)
    ends = np.cumsum([len(rows.y) for rows in judged])[:-1]
    weights = [np.ones(len(buyers)), *bootstrap_weights(np.arange(len(buyers)), n_draws=n_draws, seed=seed)]
    methods = tuple(judged[0].scores)
    values: dict[tuple[str, str, str], Floats] = {}
    for rows, where in zip(judged, np.split(at, ends), strict=True):
        for method in methods:
            ranked = Ranked.of(rows.y, rows.scores[method])
            for name, measure in MEASURES.items():
                found = np.array([measure(ranked, weight[where]) for weight in weights])
                values[rows.snapshot, method, name] = found
    snapshots = tuple(rows.snapshot for rows in judged)
    n = {rows.snapshot: len(rows.y) for rows in judged}
    events = {rows.snapshot: int(rows.y.sum()) for rows in judged}
    values |= _means(values, snapshots, methods)
    return Drawn(dataset, snapshots, methods, n, events, values)


def together(name: str, parts: Sequence[Drawn]) -> Drawn:
    """Average the means of data sets whose buyers are other people, so that their draws are independent."""
    methods = tuple(m for m in parts[0].methods if all(m in part.methods for part in parts))
    values = {
        (part.dataset, m, k): part.values[MEAN, m, k] for part in parts for m in methods for k in MEASURES
    }
    names = tuple(part.dataset for part in parts)
    values |= _means(values, names, methods)
    n = {part.dataset: sum(part.n.values()) for part in parts}
    events = {part.dataset: sum(part.events.values()) for part in parts}
    return Drawn(name, names, methods, n, events, values)


def _means(
    values: Mapping[tuple[str, str, str], Floats], parts: Sequence[str], methods: Sequence[str]
) -> dict[tuple[str, str, str], Floats]:
    return {
        (MEAN, method, measure): np.mean([values[part, method, measure] for part in parts], axis=0)
        for method in methods
        for measure in MEASURES
    }
