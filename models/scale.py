"""The points scale: 300 to 900, linear in the log-odds of abuse, more points for a better buyer."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

P_FLOOR: Final = 1e-4
"""No buyer is called surer than this, in either direction; it bounds the log-odds and so the scale."""
LOWEST, HIGHEST = 300.0, 900.0
"""Ends of the scale of points."""
EVEN_ODDS_POINTS: Final = (LOWEST + HIGHEST) / 2
POINTS_PER_LOG_ODD: Final = (HIGHEST - EVEN_ODDS_POINTS) / float(logit(1.0 - P_FLOOR))
"""About 32.6; twice the odds of abuse cost about 22.6 points."""


def bounded_probability(log_odds: ArrayLike) -> NDArray[np.float64]:
    """Turn calibrated log-odds into a probability inside (P_FLOOR, 1 - P_FLOOR), strictly increasing."""
    return np.asarray(P_FLOOR + (1.0 - 2.0 * P_FLOOR) * expit(np.asarray(log_odds, dtype=np.float64)))


def points_of(p_abuse: ArrayLike) -> NDArray[np.float64]:
    """Place probabilities of abuse on the scale: 600 is even odds, 900 as good and 300 as bad as it gets.

    Parameters
    ----------
    p_abuse : array-like of float
        Probabilities within [P_FLOOR, 1 - P_FLOOR], as `bounded_probability` gives them.

    Returns
    -------
    ndarray of float64
        Points in [300, 900], strictly decreasing in `p_abuse`.
    """
    return np.asarray(EVEN_ODDS_POINTS - POINTS_PER_LOG_ODD * logit(np.asarray(p_abuse, dtype=np.float64)))


def probability_of(points: ArrayLike) -> NDArray[np.float64]:
    """Read a probability of abuse back from points; the inverse of `points_of`."""
    return np.asarray(expit((EVEN_ODDS_POINTS - np.asarray(points, dtype=np.float64)) / POINTS_PER_LOG_ODD))
