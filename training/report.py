"""What a training hands back: where the model is, what it learned from, how good it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from .dataset import Dataset
from .evaluate import Interval
from .findings import Findings
from .log import instant

OnStep = Callable[[str], None]
"""Told the name of each step as it begins."""


def silent(step: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Comparison:
    """One method judged on one snapshot.

    Attributes
    ----------
    snapshot : str
        Its date, or `mean` over all.
    n : int
        Buyers judged.
    base_rate : float
        Share of positives among them.
    """

    snapshot: str
    method: str
    n: int
    base_rate: float
    roc_auc: Interval
    average_precision: Interval


@dataclass(frozen=True)
class Rows:
    """How many rows were learned from, judged on, and left out since their label is still open."""

    train: int
    train_positive: int
    test: int
    test_positive: int
    immature: Mapping[str, int]
    train_snapshots: tuple[str, ...]
    test_snapshots: tuple[str, ...]


@dataclass(frozen=True)
class TrainingReport:
    """One training.

    Attributes
    ----------
    champion : bool
        Whether the registered model's alias `champion` now names this version.
    known_until : datetime
        Everything recorded before it was known; labels matured by it.
    metrics : mapping of str to Interval
        On the rows judged, with 95% bootstrap intervals over buyers.
    comparisons : tuple of Comparison
        Beside simple methods, where the task has any.
    findings : Findings, optional
        Of the abuse score: the guaranteed cut-off and what else was found out.
    silent_features : mapping of str to str
        Features that said the same of everybody learned from: `constant` or `all missing`.
    """

    task: str
    tracking_uri: str
    experiment: str
    model_name: str
    champion: bool
    catalog_version: str
    data_fingerprint: str
    git_commit: str | None
    known_until: datetime
    seed: int
    rows: Rows
    metrics: Mapping[str, Interval]
    comparisons: tuple[Comparison, ...] = ()
    findings: Findings | None = None
    silent_features: Mapping[str, str] = field(default_factory=dict)
    run_id: str = ""
    model_version: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, as JSON holds them."""
        return asdict(self) | {"known_until": self.known_until.isoformat()}


def rows_of(train: Dataset, test: Dataset, *, immature: Mapping[str, int]) -> Rows:
    """Count the rows of a training."""
    return Rows(
        train=len(train),
        train_positive=int(train.y.sum()),
        test=len(test),
        test_positive=int(test.y.sum()),
        immature=immature,
        train_snapshots=_dates(train),
        test_snapshots=_dates(test),
    )


def _dates(rows: Dataset) -> tuple[str, ...]:
    return tuple(f"{instant(at):%Y-%m-%d}" for at in np.unique(rows.as_of))
