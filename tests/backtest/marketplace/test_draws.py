from __future__ import annotations

import numpy as np
import pytest

from backtest.marketplace.draws import weighted


@pytest.mark.parametrize("size", [3, 20_000, 60_000])
@pytest.mark.parametrize(
    "weights",
    [
        np.power(np.arange(20_000) + 8.0, -0.75),
        np.where(np.arange(20_000) % 7 == 3, np.arange(20_000.0), 0.0),
        np.array([0.0, 1e-9, 1.0, 0.0, 1e9, 1e-9, 0.0]),
        np.array([2.0]),
    ],
    ids=["shops", "some of them", "extremes", "one"],
)
def test_many_draws_at_once_are_those_of_a_plain_search(weights: np.ndarray, size: int) -> None:
    cumulative = np.cumsum(weights)
    values = np.random.default_rng(5).random(size) * cumulative[-1]
    plain = np.searchsorted(cumulative, values, side="right")
    assert np.array_equal(weighted(np.random.default_rng(5), weights, size), plain)
    assert (weights[plain] > 0).all()
