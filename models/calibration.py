"""Calibration: raw margins to log-odds by a straight line that always rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit

from .scale import P_FLOOR, bounded_probability, points_of, probability_of

SLOPE_PRIOR_SD: Final = 0.5
"""How far, in logs, the slope may leave 1 before a handful of positives must pay for it."""
SHIFT_PRIOR_SD: Final = 1.0
"""How far, in log-odds, a base rate moves without surprise."""
FEWEST_EVENTS: Final = 10
CHI2_95: Final = 3.841
"""The 95% point of chi-squared with one degree of freedom."""


@dataclass(frozen=True)
class PlattCalibrator:
    """log-odds = slope * margin + intercept, with slope > 0, so that ranking never changes.

    Attributes
    ----------
    shift : float
        What of the intercept came from newer rows, since the base rate had moved; 0 where it had not.
    """

    slope: float = 1.0
    intercept: float = 0.0
    shift: float = 0.0

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


@dataclass(frozen=True)
class BaseRateShift:
    """Whether probabilities have drifted as a whole, and by how much.

    Attributes
    ----------
    events, expected : float
        Positives found, and what the probabilities add up to.
    shift, low, high : float
        Log-odds to add, with its 95% interval; 0 where `moved` is false.
    moved : bool
        There are enough events, and no shift at all is refuted.
    words : str
        The same as a sentence.
    """

    events: int
    expected: float
    shift: float
    low: float
    high: float
    moved: bool
    words: str


def shift_of_base_rate(calibrator: PlattCalibrator, margin: ArrayLike, y: ArrayLike) -> BaseRateShift:
    """Find the intercept that newer rows ask for; ranking and slope stay (calibration-in-the-large).

    The most probable shift under a normal prior of `SHIFT_PRIOR_SD` around none, so that few events move
    little; none at all with fewer than `FEWEST_EVENTS` found and expected, or where a likelihood ratio test
    at 5% does not refute it (Steyerberg 2019, section 15.3: update the intercept first, and only if needed).

    Parameters
    ----------
    margin : array-like of shape (n,)
        Raw scores of rows that came after those the calibrator was fitted on, one row per buyer.
    y : array-like of shape (n,)
        1 for abuse, 0 otherwise; one class only is allowed.
    """
    z, labels = calibrator.log_odds(margin), np.asarray(y, dtype=np.float64)
    events, expected = int(labels.sum()), float(expit(z).sum())
    shift = _most_probable_shift(z, labels)
    gain = float(np.sum(labels * shift - np.logaddexp(0.0, z + shift) + np.logaddexp(0.0, z)))
    chance = expit(z + shift)
    error = float(1.96 / np.sqrt(np.sum(chance * (1 - chance)) + SHIFT_PRIOR_SD**-2))
    found = f"{events} events where {expected:.1f} were expected"
    if max(events, expected) < FEWEST_EVENTS:
        return _stays(events, expected, error, f"{found}: too few to speak of a moved base rate")
    if 2 * gain < CHI2_95:
        return _stays(events, expected, error, f"{found}: no evidence that the base rate moved")
    words = f"{found}: the base rate moved, so the odds of every buyer are multiplied by {np.exp(shift):.2f}"
    return BaseRateShift(events, expected, shift, shift - error, shift + error, True, words)


def _stays(events: int, expected: float, error: float, words: str) -> BaseRateShift:
    return BaseRateShift(events, expected, 0.0, -error, error, False, words)


def _most_probable_shift(z: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Solve Σ (y − σ(z + shift)) = shift / sd², which falls in the shift, so has one root."""

    def slope(shift: float) -> float:
        return float(np.sum(y - expit(z + shift))) - shift / SHIFT_PRIOR_SD**2

    return float(brentq(slope, -50.0, 50.0)) if len(z) else 0.0


def shifted(calibrator: PlattCalibrator, by: BaseRateShift) -> PlattCalibrator:
    """Add the shift to the intercept."""
    if not by.shift:
        return calibrator
    return PlattCalibrator(calibrator.slope, calibrator.intercept + by.shift, calibrator.shift + by.shift)


def unshifted(calibrator: PlattCalibrator) -> PlattCalibrator:
    """Give the line as it was fitted, before any shift."""
    return PlattCalibrator(calibrator.slope, calibrator.intercept - calibrator.shift)


def points_after(points: ArrayLike, *, shift: float) -> NDArray[np.float64]:
    """Tell where points lie once `shift` has been added to every log-odds.

    Strictly increasing in `points`, as every step is (points to probability to log-odds, plus a number, and
    back): whoever was at or above a cut-off before is at or above its place afterwards, and nobody else.
    """
    if not shift:
        return np.asarray(points, dtype=np.float64)
    log_odds = logit((probability_of(points) - P_FLOOR) / (1.0 - 2.0 * P_FLOOR))
    return points_of(bounded_probability(log_odds + shift))
