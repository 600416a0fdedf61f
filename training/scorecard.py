"""A scorecard beside the model: a dozen binned features that a person can add up with a pencil.

The readable challenger: if the trees are not better than this, they are not worth their opacity; where both
disagree on a buyer, somebody should look. Bins by quantiles with one for "not defined", the weight of
evidence of each, and a logistic regression over those (Siddiqi 2017, chapters 6 and 7). Where the catalog
declares a direction, the bins keep it; a feature that would count backwards beside the others is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression

from decisions.policy import NOTICE, Policy
from features.catalog import CATALOG
from features.compile import Catalog
from models.buyer_score import BuyerScore
from models.scale import POINTS_PER_LOG_ODD, bounded_probability

from .cut_off import enough_history, latest_rows
from .dataset import Dataset
from .evaluate import Floats, Interval, Ranked, ranking_measures, rate_of, roc_auc, with_intervals

N_BINS: Final = 5
PRIOR_ROWS: Final = 50.0
"""A bin's rate is shrunk to the base rate by so many rows."""
N_DRAWS: Final = 200


@dataclass(frozen=True, kw_only=True)
class Bin:
    """One line of the card: values in [low, high), or undefined, and the points they give."""

    low: float | None
    high: float | None
    undefined: bool
    n: int
    events: int
    points: float


@dataclass(frozen=True, kw_only=True)
class Characteristic:
    """One feature of the card."""

    name: str
    title: Mapping[str, str]
    bins: tuple[Bin, ...]


@dataclass(frozen=True, kw_only=True)
class Group:
    """Buyers on whom both agree or not, when both approve equally many."""

    words: str
    n: int
    events: int
    rate: Interval | None


@dataclass(frozen=True, kw_only=True)
class Scorecard:
    """The card and how it compares on rows that neither has learned from.

    Attributes
    ----------
    base_points : float
        Points before any line; a buyer's points are these and one line of each characteristic.
    metrics, model_metrics : mapping of str to Interval
        `roc_auc` and `average_precision` of the card, and of the model on the same rows.
    agreement : tuple of Group
        Who is approved by both, by one of them, by none.
    """

    base_points: float
    characteristics: tuple[Characteristic, ...]
    metrics: Mapping[str, Interval]
    model_metrics: Mapping[str, Interval]
    agreement: tuple[Group, ...]


@dataclass(frozen=True)
class _Binned:
    """One column's edges and the weight of evidence of its bins; the last bin is "not defined"."""

    name: str
    edges: Floats
    n: NDArray[np.int64]
    events: NDArray[np.int64]
    evidence: Floats

    @classmethod
    def of(cls, name: str, x: Floats, y: NDArray[np.int64], *, direction: int) -> _Binned:
        defined = x[~np.isnan(x)]
        inner = np.linspace(0, 1, N_BINS + 1)[1:-1]
        edges = np.unique(np.quantile(defined, inner)) if len(defined) else np.empty(0)
        at = _bin_of(x, edges)
        n = np.bincount(at, minlength=len(edges) + 2)
        events = np.bincount(at, weights=y, minlength=len(edges) + 2).astype(np.int64)
        base = float(y.mean())
        rate = (events + base * PRIOR_ROWS) / (n + PRIOR_ROWS)
        if direction:
            rate[:-1] = isotonic_regression(rate[:-1], sample_weight=n[:-1] + 1, increasing=direction > 0)
        return cls(name, edges, n, events, _log_odds(rate) - _log_odds(np.array(base)))

    def transform(self, x: Floats) -> Floats:
        return self.evidence[_bin_of(x, self.edges)]


def _bin_of(x: Floats, edges: Floats) -> NDArray[np.intp]:
    return np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, x, side="right"))


def _log_odds(p: Floats) -> Floats:
    return np.asarray(np.log(p / (1 - p)))


def scorecard_of(
    *, train: Dataset, test: Dataset, score: BuyerScore, policy: Policy = NOTICE, seed: int = 0
) -> Scorecard:
    """Fit the card on the rows the model learned from, and judge both on each buyer's latest later row."""
    chosen, card = _fitted(train)
    judged = latest_rows(test)
    p = bounded_probability(card.decision_function(_evidence(judged.X, chosen)))
    ours = score.predict_proba(judged.X)[:, 1]
    return Scorecard(
        base_points=600.0 - POINTS_PER_LOG_ODD * float(card.intercept_[0]),
        characteristics=tuple(
            _characteristic(b, float(w)) for b, w in zip(chosen, card.coef_[0], strict=True)
        ),
        metrics=_ranking(judged, p, seed=seed),
        model_metrics=_ranking(judged, ours, seed=seed),
        agreement=_agreement(judged, ours=ours, card=p, score=score, policy=policy),
    )


def scorecard_log_odds(train: Dataset, rows: Dataset) -> Floats:
    """Fit the card on some rows and give the log-odds of others, shape (n,)."""
    chosen, card = _fitted(train)
    return np.asarray(card.decision_function(_evidence(rows.X, chosen)))


def _fitted(train: Dataset) -> tuple[list[_Binned], LogisticRegression]:
    """Fit, and leave out what counts backwards, until nothing does."""
    chosen = _chosen(train)
    while True:
        card = LogisticRegression(C=1.0, max_iter=500).fit(_evidence(train.X, chosen), train.y)
        kept = [binned for binned, weight in zip(chosen, card.coef_[0], strict=True) if weight > 0]
        if len(kept) in {0, len(chosen)}:
            return chosen, card
        chosen = kept


def _evidence(X: pd.DataFrame, chosen: Sequence[_Binned]) -> Floats:
    return np.column_stack([binned.transform(X[binned.name].to_numpy()) for binned in chosen])


def _chosen(train: Dataset, *, catalog: Catalog = CATALOG) -> list[_Binned]:
    """Take the feature of each reason that ranks best alone, once binned."""
    best: dict[str, tuple[float, _Binned]] = {}
    everyone = np.ones(len(train))
    for feature, reason in zip(catalog.features, catalog.reason_codes, strict=True):
        x = train.X[feature.name].to_numpy()
        binned = _Binned.of(feature.name, x, train.y, direction=feature.direction)
        worth = roc_auc(Ranked.of(train.y, binned.transform(x)), everyone)
        if reason not in best or worth > best[reason][0]:
            best[reason] = (worth, binned)
    return [binned for _, binned in best.values()]


def _characteristic(binned: _Binned, weight: float, *, catalog: Catalog = CATALOG) -> Characteristic:
    lows = [None, *binned.edges.tolist(), None]
    highs = [*binned.edges.tolist(), None, None]
    title = catalog.features[catalog.index[binned.name]].title
    bins = tuple(
        Bin(
            low=lows[i],
            high=highs[i],
            undefined=i == len(lows) - 1,
            n=int(binned.n[i]),
            events=int(binned.events[i]),
            points=round(-POINTS_PER_LOG_ODD * weight * float(binned.evidence[i]), 1),
        )
        for i in range(len(lows))
        if binned.n[i]
    )
    return Characteristic(name=binned.name, title={"zh": title.zh, "en": title.en}, bins=bins)


def _ranking(rows: Dataset, p: Floats, *, seed: int) -> Mapping[str, Interval]:
    return with_intervals(ranking_measures(rows.y, p), groups=rows.buyer, seed=seed, n_draws=N_DRAWS)


def _agreement(
    rows: Dataset, *, ours: Floats, card: Floats, score: BuyerScore, policy: Policy
) -> tuple[Group, ...]:
    """Approve with the card as many of the eligible as the model does at the policy's cut-off."""
    known = enough_history(rows.X, policy)
    y, cut_off = rows.y[known], policy.quality_score_min
    by_model = score.points(rows.X)[known] >= (np.inf if cut_off is None else cut_off)
    rank = pd.Series(card[known]).rank(method="first").to_numpy()
    by_card = rank <= by_model.sum()
    return (
        _group("approved by both", y[by_model & by_card]),
        _group("approved by the model only", y[by_model & ~by_card]),
        _group("approved by the scorecard only", y[~by_model & by_card]),
        _group("approved by neither", y[~by_model & ~by_card]),
    )


def _group(words: str, y: NDArray[np.int64]) -> Group:
    n, events = len(y), int(y.sum())
    return Group(words=words, n=n, events=events, rate=rate_of(events, n) if n else None)
