"""Random draws that the rooms of the marketplace share; every one takes the generator it uses."""

from __future__ import annotations

from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]
Rng: TypeAlias = np.random.Generator

MINUTE = 60.0
HOUR = 3_600.0
DAY = 86_400.0


def skewed(z: Floats, *, median: float, left: float, right: float) -> Floats:
    """Map standard normal ``z`` to a log-normal whose spread differs below and above its median.

    With ``left = ln(p50 / p10) / 1.2816`` and ``right = ln(p90 / p50) / 1.2816`` the three quantiles are met.
    """
    return median * np.exp(np.where(z < 0.0, left, right) * z)


def lognormal(rng: Rng, median: Floats | float, *, sigma: float, size: int) -> Floats:
    """Draw ``size`` positive values around ``median`` (one for all or one for each)."""
    return np.asarray(median * np.exp(sigma * rng.standard_normal(size)))


def even_normals(rng: Rng, size: int) -> Floats:
    """Shuffle the ``size`` mid-quantiles of a standard normal, so that even a few shops are a fair sample."""
    inverse = NormalDist().inv_cdf
    values = np.array([inverse((i + 0.5) / size) for i in range(size)])
    return rng.permutation(values)


def chance(rng: Rng, p: Floats | float, size: int) -> Bools:
    """Toss ``size`` coins that fall True with probability ``p`` (one for all or one for each)."""
    return np.asarray(rng.random(size) < p)


def weighted(rng: Rng, weights: Floats, size: int) -> Ints:
    """Draw ``size`` positions with probability in proportion to ``weights``."""
    cumulative = np.cumsum(weights)
    return np.asarray(np.searchsorted(cumulative, rng.random(size) * cumulative[-1], side="right"), np.int64)
