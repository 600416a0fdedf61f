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
    return _places(cumulative, rng.random(size) * cumulative[-1])


def _places(cumulative: Floats, values: Floats) -> Ints:
    """Give what ``np.searchsorted(cumulative, values, side="right")`` does; many in a fifth of the time.

    Values in [0, total) fall into as many even steps as there are places, which are looked up; few remain
    that lie a place or two further on.
    """
    total, steps = cumulative[-1], len(cumulative)
    if len(values) < steps:
        return np.asarray(np.searchsorted(cumulative, values, side="right"), np.int64)
    edges = np.arange(steps + 1) * (total / steps) * (1.0 - 1e-9)  # never beyond the step that rounding finds
    starts: Ints = np.searchsorted(cumulative, edges, side="right")
    place: Ints = starts[(values * (steps / total)).astype(np.int64)]
    behind = np.flatnonzero(cumulative[place] <= values)
    while len(behind):
        place[behind] += 1
        behind = behind[cumulative[place[behind]] <= values[behind]]
    return place
