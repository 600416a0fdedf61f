"""Compile ahead of the first answer: ``python -m models.warm``, after `features.warm`."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from .fast_shap import FastShap


def warm() -> None:
    """Explain one row by a tree of two leaves; the machine code stays in numba's cache on disk."""
    X = np.arange(40.0).reshape(-1, 1)
    rows = lgb.Dataset(X, label=X[:, 0] > 20, params={"min_data_in_bin": 1, "verbosity": -1})
    booster = lgb.train(
        {"objective": "binary", "min_data_in_leaf": 1, "verbosity": -1}, rows, num_boost_round=1
    )
    shap = FastShap.of(booster)
    if shap is not None:
        shap.contributions(np.zeros(1))


if __name__ == "__main__":
    warm()
