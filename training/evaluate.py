"""How good a ranking and its probabilities are, in numbers with intervals over buyers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

Floats = NDArray[np.float64]

FALSE_POSITIVE_RATES: Final = (0.001, 0.005, 0.01)
GAIN_SHARES: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
N_BINS: Final = 10
N_DRAWS: Final = 300


@dataclass(frozen=True)
class Interval:
    """A measured value with its 95% bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Ranked:
    """Rows from the highest score down, cut where equal scores end.

    Attributes
    ----------
    order : ndarray of shape (n,)
        Positions from the highest score down.
    ends : ndarray
        Last position, in that order, of every run of equal scores.
    y : ndarray of shape (n,)
        Labels in that order.
    """

    order: NDArray[np.intp]
    ends: NDArray[np.intp]
    y: Floats

    @classmethod
    def of(cls, y: ArrayLike, score: ArrayLike) -> Ranked:
        """Sort once; every draw of the bootstrap only changes weights."""
        s = np.asarray(score, dtype=np.float64)
        order = np.argsort(-s, kind="stable")
        ends = np.append(np.flatnonzero(np.diff(s[order])), len(s) - 1)
        return cls(order, ends, np.asarray(y, dtype=np.float64)[order])

    def rates(self, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Give true-positive rate, false-positive rate and precision at every cut, for weighted rows."""
        w = weight[self.order]
        hit, seen = np.cumsum(w * self.y)[self.ends], np.cumsum(w)[self.ends]
        with np.errstate(invalid="ignore", divide="ignore"):
            return hit / hit[-1], (seen - hit) / (seen - hit)[-1], hit / seen


def roc_auc(ranked: Ranked, weight: Floats) -> float:
    """Area under the ROC curve by trapezoids: ties count half."""
    tpr, fpr, _ = ranked.rates(weight)
    return float(np.trapezoid(np.append(0.0, tpr), np.append(0.0, fpr)))


def average_precision(ranked: Ranked, weight: Floats) -> float:
    """Sum of precision times gain in recall, as scikit-learn defines it."""
    tpr, _, precision = ranked.rates(weight)
    return float(np.nansum(np.diff(tpr, prepend=0.0) * precision))


def recall_at(ranked: Ranked, weight: Floats, *, false_positive_rate: float) -> float:
    """Largest share of positives found by a cut with at most so many false positives."""
    tpr, fpr, _ = ranked.rates(weight)
    return float(np.max(tpr[fpr <= false_positive_rate], initial=0.0))


def gain_at(ranked: Ranked, weight: Floats, *, share: float) -> float:
    """Share of positives among the given share of rows with the highest scores."""
    w = weight[ranked.order]
    seen, hit = np.cumsum(w) / w.sum(), np.cumsum(w * ranked.y)
    if hit[-1] == 0:  # a draw of buyers without a positive says nothing
        return float("nan")
    return float(np.interp(share, np.append(0.0, seen), np.append(0.0, hit / hit[-1])))


def brier(y: Floats, p: Floats, weight: Floats) -> float:
    """Mean squared error of probabilities."""
    return float(np.average((p - y) ** 2, weights=weight))


def equal_mass_bins(p: Floats, *, n_bins: int = N_BINS) -> NDArray[np.intp]:
    """Put equally many rows in each bin, by rising probability; equal probabilities share a bin."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, n_bins + 1)[1:-1]))
    return np.searchsorted(edges, p, side="right")


def calibration_error(y: Floats, p: Floats, weight: Floats, *, bins: NDArray[np.intp]) -> float:
    """Average the distance of observed from predicted rate over bins, weighted by rows."""
    gap = np.bincount(bins, weights=weight * (y - p))
    return float(np.abs(gap).sum() / weight.sum())


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of similar probability: what was predicted, and what was observed with Jeffreys' interval."""

    n: int
    predicted: float
    observed: Interval


def reliability_bins(y: ArrayLike, p: Floats, *, n_bins: int = N_BINS) -> tuple[ReliabilityBin, ...]:
    """Cut rows, by rising probability, into bins that expect equally many positives."""
    hits, order = np.asarray(y), np.argsort(p, kind="stable")
    expected = np.cumsum(p[order])
    bins = np.minimum((expected / expected[-1] * n_bins).astype(int), n_bins - 1)
    return tuple(_reliability_bin(hits[order[bins == b]], p[order[bins == b]]) for b in np.unique(bins))


def _reliability_bin(y: NDArray[np.int64], p: Floats) -> ReliabilityBin:
    return ReliabilityBin(len(y), float(p.mean()), rate_of(int(y.sum()), len(y)))


def rate_of(hits: int, n: int) -> Interval:
    """Give a rate with Jeffreys' interval, closed at 0 and at 1 (Brown, Cai & DasGupta 2001, section 4.3)."""
    low, high = (float(beta.ppf(q, hits + 0.5, n - hits + 0.5)) for q in (0.025, 0.975))
    return Interval(hits / n, low if hits else 0.0, high if hits < n else 1.0)


def bootstrap_weights(groups: ArrayLike, *, n_draws: int, seed: int) -> Iterator[Floats]:
    """Draw buyers with replacement, all rows of a buyer together; yield how often each row is drawn."""
    _, buyer = np.unique(np.asarray(groups), return_inverse=True)
    n_buyers = int(buyer.max()) + 1
    rng = np.random.default_rng(seed)
    for _ in range(n_draws):
        drawn = rng.integers(0, n_buyers, n_buyers)
        yield np.bincount(drawn, minlength=n_buyers).astype(np.float64)[buyer]


def with_intervals(
    measures: Mapping[str, Callable[[Floats], float]], *, groups: ArrayLike, seed: int, n_draws: int = N_DRAWS
) -> dict[str, Interval]:
    """Measure on all rows, and on draws of buyers that are the same for every measure (Efron 1979)."""
    whole = np.ones(len(np.asarray(groups)))
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    for weight in bootstrap_weights(groups, n_draws=n_draws, seed=seed):
        for name, measure in measures.items():
            drawn[name].append(measure(weight))
    found = {}
    for name, measure in measures.items():
        low, high = np.nanquantile(drawn[name], [0.025, 0.975])
        found[name] = Interval(measure(whole), float(low), float(high))
    return found


def ranking_measures(y: ArrayLike, score: ArrayLike) -> dict[str, Callable[[Floats], float]]:
    """Measure the order alone: area under the ROC curve and average precision."""
    ranked = Ranked.of(y, score)
    return {"roc_auc": partial(roc_auc, ranked), "average_precision": partial(average_precision, ranked)}


def evaluate(
    y: ArrayLike,
    p: ArrayLike,
    *,
    groups: ArrayLike,
    ranked_by: ArrayLike | None = None,
    seed: int = 0,
    n_draws: int = N_DRAWS,
) -> dict[str, Interval]:
    """Measure ranking and probabilities of rows that the model has not seen.

    Parameters
    ----------
    y, p : array-like of shape (n,)
        Labels (both classes) and probabilities.
    groups : array-like of shape (n,)
        Buyers; the bootstrap draws them whole.
    ranked_by : array-like of shape (n,), optional
        What the order is judged by, where it is not that of `p`.

    Returns
    -------
    dict of str to Interval
        `roc_auc`, `average_precision`, `brier`, `calibration_error`, `recall_at_fpr_…` and `gain_at_…`.
    """
    labels, chances = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    order = chances if ranked_by is None else np.asarray(ranked_by, dtype=np.float64)
    ranked = Ranked.of(labels, order)
    bins = equal_mass_bins(chances)
    measures = ranking_measures(labels, order) | {
        "brier": partial(brier, labels, chances),
        "calibration_error": partial(calibration_error, labels, chances, bins=bins),
    }
    for rate in FALSE_POSITIVE_RATES:
        measures[f"recall_at_fpr_{rate}"] = partial(recall_at, ranked, false_positive_rate=rate)
    for share in GAIN_SHARES:
        measures[f"gain_at_{share}"] = partial(gain_at, ranked, share=share)
    return with_intervals(measures, groups=groups, seed=seed, n_draws=n_draws)
