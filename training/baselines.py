"""Simple methods beside which the score must stand, on the same rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from .dataset import Dataset
from .evaluate import Floats
from .log import TrainingLog

Baseline = Callable[[TrainingLog, Dataset, Dataset], Floats]
"""Scores for the second rows, having learned from the first where it learns at all."""


def past_cancelled_rate(log: TrainingLog, train: Dataset, test: Dataset) -> Floats:
    """Give the share of a buyer's orders that were known at `as_of` to have lost a line."""
    orders = _known_counts(log.of("order_paid"), test)
    return _known_counts(log.of("refund_granted"), test) / np.maximum(orders, 1)


def order_size(log: TrainingLog, train: Dataset, test: Dataset) -> Floats:
    """Average the lines of a buyer's orders known at `as_of`; the amounts where no order says its lines."""
    paid = log.of("order_paid")
    size = "line_count" if paid["line_count"].notna().any() else "amount_fen"
    return _per_row(paid, test, lambda known: known.groupby("buyer")[size].mean())


def logistic_on_logs(log: TrainingLog, train: Dataset, test: Dataset) -> Floats:
    """Fit a regularised logistic regression on the logarithms of all features of the catalog."""
    model = make_pipeline(
        FunctionTransformer(_signed_log, feature_names_out="one-to-one"),
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=2000),
    )
    return np.asarray(model.fit(train.X, train.y).predict_proba(test.X)[:, 1])


CANCELLATION_BASELINES: Final[dict[str, Baseline]] = {
    "past cancelled rate": past_cancelled_rate,
    "logistic on logs": logistic_on_logs,
    "order size only": order_size,
}


def _signed_log(X: Any) -> Any:
    return np.sign(X) * np.log1p(np.abs(X))


def _known_counts(rows: pd.DataFrame, test: Dataset) -> Floats:
    return _per_row(rows, test, lambda known: known.groupby("buyer")["order"].nunique())


def _per_row(rows: pd.DataFrame, test: Dataset, summary: Callable[[pd.DataFrame], pd.Series[Any]]) -> Floats:
    """Summarise per buyer what was recorded before each row's instant; 0 where nothing was."""
    out = np.zeros(len(test))
    for at in np.unique(test.as_of):
        here = test.as_of == at
        known = summary(rows[rows["recorded"] < at])
        out[here] = known.reindex(test.buyer[here]).fillna(0.0).to_numpy(dtype=np.float64)
    return out
