"""The LightGBM part: parameters, the number of trees by validation, out-of-fold margins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Row positions to train on and to validate on."""

FIXED: Mapping[str, Any] = {
    "objective": "binary",
    "metric": "binary_logloss",
    "deterministic": True,
    "force_row_wise": True,
    "feature_pre_filter": False,
    "verbosity": -1,
}
"""Same data and seed give the same trees on any number of threads; constant features are no error."""


SMALL: Final = 50_000_000
"""Cells below which one thread is used: on busy cores two wait for each other, 20 times as long."""


def threads(X: NDArray[np.float64]) -> int:
    """Give the number of threads for a matrix, 0 for all; it changes the time, never the result."""
    return 1 if X.size < SMALL else 0


def dataset(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    params: Mapping[str, Any],
    weight: NDArray[np.float64] | None = None,
    offset: NDArray[np.float64] | None = None,
) -> lgb.Dataset:
    """Bin the rows once, for the folds and for the final fit; the trees only add to the offset."""
    return lgb.Dataset(X, label=y, weight=weight, init_score=offset, params=dict(params), free_raw_data=False)


def validate(
    data: lgb.Dataset, *, params: Mapping[str, Any], folds: Sequence[Fold], max_trees: int, patience: int
) -> tuple[int, NDArray[np.intp], NDArray[np.float64]]:
    """Choose the number of trees by the folds' log loss; give it, the validated rows and their margins."""
    stop = lgb.early_stopping(patience, verbose=False)
    result = lgb.cv(
        dict(params),
        data,
        num_boost_round=max_trees,
        folds=cast("Iterable[Fold]", folds),
        callbacks=[stop],
        return_cvbooster=True,
    )
    boosters = cast("lgb.CVBooster", result["cvbooster"])
    n_trees = max(1, boosters.best_iteration)
    X = cast("NDArray[np.float64]", data.get_data())
    margins = [
        margin(booster, X[valid], n_trees=n_trees)
        for booster, (_, valid) in zip(boosters.boosters, folds, strict=True)
    ]
    return n_trees, np.concatenate([valid for _, valid in folds]), np.concatenate(margins)


def grow(data: lgb.Dataset, *, params: Mapping[str, Any], n_trees: int, names: Sequence[str]) -> lgb.Booster:
    """Fit the trees on every row given."""
    data.set_feature_name(list(names))
    return lgb.train(dict(params), data, num_boost_round=n_trees)


def margin(
    booster: lgb.Booster, X: NDArray[np.float64], *, n_trees: int | None = None
) -> NDArray[np.float64]:
    """Raw scores, shape (n,)."""
    found = booster.predict(X, raw_score=True, num_iteration=n_trees, num_threads=threads(X))
    return np.asarray(found, dtype=np.float64)


def shap(booster: lgb.Booster, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exact tree SHAP (Lundberg et al. 2020, algorithm 2), shape (n, n_features + 1), the base last."""
    found = booster.predict(X, pred_contrib=True, num_threads=threads(X))
    return np.asarray(found, dtype=np.float64)
