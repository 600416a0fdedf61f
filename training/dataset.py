"""Rows to learn from: snapshots of a population with features as known then and labels as known since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.batch import feature_table
from features.catalog import CATALOG
from features.compile import Catalog
from features.events import TIMESTAMP

from .labels import Label
from .log import TrainingLog, micros


@dataclass(frozen=True)
class Dataset:
    """Rows of (buyer, as_of), aligned.

    Attributes
    ----------
    X : DataFrame of shape (n, n_features)
        Features known at `as_of`.
    y : ndarray of shape (n,)
        1 where the label holds.
    buyer : ndarray of shape (n,)
        Integer codes of buyers.
    as_of : ndarray of shape (n,)
        Microseconds since the epoch.
    newer : tuple of Newer
        Rows of shorter windows to learn from besides; not counted, never judged on.
    """

    X: pd.DataFrame
    y: NDArray[np.int64]
    buyer: NDArray[np.int64]
    as_of: NDArray[np.int64]
    newer: tuple[Newer, ...] = ()

    def at(self, snapshots: Sequence[datetime]) -> Dataset:
        """Keep the rows of some snapshots."""
        return self.where(np.isin(self.as_of, [micros(t) for t in snapshots]))

    def where(self, keep: NDArray[np.bool_]) -> Dataset:
        """Keep some rows."""
        return Dataset(self.X[keep].reset_index(drop=True), self.y[keep], self.buyer[keep], self.as_of[keep])

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True)
class Newer:
    """Rows of a shorter window, complete after `maturity`: they come after the last whole window's."""

    rows: Dataset
    maturity: timedelta


def joined(parts: Sequence[Dataset]) -> Dataset:
    """Put rows of the same columns one part after the other."""
    return Dataset(
        X=pd.concat([part.X for part in parts], ignore_index=True),
        y=np.concatenate([part.y for part in parts]),
        buyer=np.concatenate([part.buyer for part in parts]),
        as_of=np.concatenate([part.as_of for part in parts]),
    )


def build_dataset(
    log: TrainingLog, *, label: Label, snapshots: Sequence[datetime], catalog: Catalog = CATALOG
) -> Dataset:
    """Take the label's population at every snapshot, with its features and its label."""
    buyers = [label.population(log, t) for t in snapshots]
    hits = [np.isin(who, label.positives(log, t)) for who, t in zip(buyers, snapshots, strict=True)]
    buyer = np.concatenate([*buyers, np.empty(0, dtype=np.int64)]).astype(np.int64)
    as_of = np.repeat([micros(t) for t in snapshots], [len(who) for who in buyers]).astype(np.int64)
    spine = pa.table({"buyer_id": log.buyer_ids.take(pa.array(buyer)), "as_of": pa.array(as_of, TIMESTAMP)})
    table = feature_table(log.events, spine, catalog=catalog)
    X = pd.DataFrame({name: table[name].to_numpy() for name in catalog.names})
    return Dataset(X, np.concatenate([*hits, np.empty(0, dtype=bool)]).astype(np.int64), buyer, as_of)


def population_sizes(log: TrainingLog, *, label: Label, snapshots: Sequence[datetime]) -> Mapping[str, int]:
    """Count the rows that snapshots would give, by date."""
    return {f"{t:%Y-%m-%d}": len(label.population(log, t)) for t in snapshots}


def month_starts(first: datetime, last: datetime) -> list[datetime]:
    """All first days of months, at midnight UTC, within [first, last]."""
    months = pd.date_range(first, last, freq="MS", normalize=True)
    starts = [month.to_pydatetime().astimezone(UTC) for month in months]
    return [start for start in starts if first <= start <= last]


def every_days(first: datetime, last: datetime, *, step_days: int) -> list[datetime]:
    """Count back from `last` by whole steps down to `first`; oldest first."""
    n_steps = (last - first) // timedelta(days=step_days)
    return [last - timedelta(days=step_days * i) for i in range(n_steps, -1, -1)]
