"""How a score that newer rows have moved sees those very rows: each half of the buyers by the other half.

The rows a model is judged on are the newest that are complete, so they also tell whether the base rate has
moved. No row may be judged by a shift that it helped to choose: buyers are drawn into two halves, and each
half gets the shift that the other half asks for, none if that half shows no evidence (cross-fitting;
Chernozhukov et al. 2018, definition 3.1). What is ranked is ranked by the score as it was fitted: a shift
moves all alike, and two shifts side by side would be another ranking than that of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.buyer_score import BuyerScore
from models.calibration import shift_of_base_rate, shifted
from models.scale import points_of

from .cut_off import latest_rows
from .dataset import Dataset
from .evaluate import Floats
from .fit import as_fitted

SCATTER: Final = np.uint64(0x9E3779B97F4A7C15)
"""2⁶⁴ over the golden ratio: the highest bit of its multiples looks like a coin (Knuth, vol. 3, 6.4)."""


@dataclass(frozen=True)
class Seen:
    """Rows as a score sees them, each of shape (n,).

    Attributes
    ----------
    p, points : ndarray
        Probabilities and points, by a shift that the row had no part in.
    ranked : ndarray
        Probabilities before any shift, whose order is the score's.
    """

    p: Floats
    points: Floats
    ranked: Floats


def judged_by(score: BuyerScore, rows: Dataset) -> Seen:
    """Look at the rows that a score is judged on; where nothing has moved it, simply as it sees them."""
    if not score.calibrator_.shift:
        return as_it_is(score, rows)
    fitted = as_fitted(score)
    margin, half, p = fitted.raw_margin(rows.X), halves(rows.buyer), np.empty(len(rows))
    for one in (False, True):
        other = latest_rows(rows.where(half != one))
        found = shift_of_base_rate(fitted.calibrator_, fitted.raw_margin(other.X), other.y)
        p[half == one] = shifted(fitted.calibrator_, found).probability(margin[half == one])
    return Seen(p, points_of(p), fitted.calibrator_.probability(margin))


def as_it_is(score: BuyerScore, rows: Dataset) -> Seen:
    """Look at rows that had no part in a score."""
    p = score.predict_proba(rows.X)[:, 1]
    return Seen(p, score.points(rows.X), p)


def halves(buyer: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Draw whole buyers into two halves, the same for the same buyers whatever the rows."""
    return np.asarray(buyer.astype(np.uint64) * SCATTER >> np.uint64(63) == 1)
