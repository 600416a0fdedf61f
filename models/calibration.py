"""Calibration: raw margins to log-odds by a straight line that always rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import expit

from .scale import bounded_probability

SLOPE_PRIOR_SD: Final = 0.5
"""How far, in logs, the slope may leave 1 before a handful of positives must pay for it."""


@dataclass(frozen=True)
class PlattCalibrator:
    """log-odds = slope * margin + intercept, with slope > 0, so that ranking never changes."""

    slope: float = 1.0
    intercept: float = 0.0

    def log_odds(self, margin: ArrayLike) -> NDArray[np.float64]:
        """Calibrated log-odds of abuse for raw margins."""
        return self.slope * np.asarray(margin, dtype=np.float64) + self.intercept

    def probability(self, margin: ArrayLike) -> NDArray[np.float64]:
        """Calibrated, bounded probability of abuse for raw margins."""
        return bounded_probability(self.log_odds(margin))


def fit_platt(margin: ArrayLike, y: ArrayLike) -> PlattCalibrator:
    """Fit the line on margins of rows that the model which gave them has not seen.

    Targets are Platt's (1999, eq. 4): (n1 + 1) / (n1 + 2) and 1 / (n0 + 2), the likelihood is written as in
    Lin, Lin & Weng (2007, eq. 6); a log-normal prior keeps the slope positive and near 1 when events are few.

    Parameters
    ----------
    margin : array-like of shape (n,)
        Out-of-fold raw scores.
    y : array-like of shape (n,)
        1 for abuse, 0 otherwise; both must occur.
    """
    m = np.asarray(margin, dtype=np.float64)
    positive = np.asarray(y) == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        raise ValueError(f"calibration needs both classes, found {n1} positive and {n0} negative rows")
    target = np.where(positive, (n1 + 1.0) / (n1 + 2.0), 1.0 / (n0 + 2.0))

    def loss(theta: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        log_slope, intercept = theta
        slope = np.exp(log_slope)
        z = slope * m + intercept
        nll = float(np.sum(np.logaddexp(0.0, z) - target * z))
        residual = expit(z) - target
        gradient = np.array([slope * float(residual @ m), float(residual.sum())])
        prior = 0.5 * (log_slope / SLOPE_PRIOR_SD) ** 2
        return nll + prior, gradient + np.array([log_slope / SLOPE_PRIOR_SD**2, 0.0])

    best = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=[(-5.0, 3.0), (None, None)])
    return PlattCalibrator(slope=float(np.exp(best.x[0])), intercept=float(best.x[1]))
