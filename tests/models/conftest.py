"""A fitted score on synthetic rows, small and quick."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from models.buyer_score import BuyerScore

NAMES = ("refunds", "kept_orders", "noise", "links", "visits")
DIRECTIONS = {"refunds": 1, "kept_orders": -1, "links": 1}
CODES = {"refunds": "refunds", "links": "refunds", "kept_orders": "good_history"}
TEXTS = {"refunds": {"zh": "退款", "en": "Refunds"}, "good_history": {"zh": "良好记录", "en": "Good history"}}


def rows(n: int = 1500, *, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw features, a tenth of them missing, and labels of which a few percent are positive."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, len(NAMES)))
    chance = 1 / (1 + np.exp(3.0 - 1.6 * X[:, 0] + 1.2 * X[:, 1] - 0.6 * X[:, 3]))
    X[rng.random(X.shape) < 0.1] = np.nan
    return pd.DataFrame(X, columns=list(NAMES)), (rng.random(n) < chance).astype(int)


def new_score(**params: object) -> BuyerScore:
    """Make the unfitted score of these rows."""
    given = {"monotone": DIRECTIONS, "reason_codes": CODES, "reason_texts": TEXTS, "catalog_version": "c1"}
    return BuyerScore(**given | {"max_trees": 60, "patience": 10} | params)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def fitted() -> BuyerScore:
    X, y = rows()
    return new_score().fit(X, y)
