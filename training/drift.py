"""Population stability: whether today's buyers are like those that the model learned from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from models.buyer_score import BuyerScore

N_BINS: Final = 10
USED_GAIN: Final = 0.01
"""Smallest share of the trees' gain from which on a feature's drift can matter."""
WINDOW: Final = re.compile(r"_(\d+)d$")


def psi(expected: ArrayLike, actual: ArrayLike) -> float:
    """Population stability index over deciles of the expected values, with a bin of its own for NaN.

    Sum of (a - e) ln(a / e) over bins (Siddiqi 2006, p. 136); half a row is added to every bin, so that an
    empty one stays finite. Below 0.1 is read as stable, above 0.25 as another population.
    """
    old, new = (np.asarray(x, dtype=np.float64) for x in (expected, actual))
    known = old[~np.isnan(old)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, N_BINS + 1)[1:-1])) if len(known) else np.empty(0)

    def shares(x: np.ndarray) -> np.ndarray:
        bins = np.where(np.isnan(x), len(edges) + 1, np.searchsorted(edges, np.nan_to_num(x), side="right"))
        counts = np.bincount(bins, minlength=len(edges) + 2) + 0.5
        return np.asarray(counts / counts.sum())

    e, a = shares(old), shares(new)
    return float(((a - e) * np.log(a / e)).sum())


def feature_psi(
    score: BuyerScore, learned: pd.DataFrame, newest: pd.DataFrame, *, history: timedelta
) -> Mapping[str, float]:
    """Compare the features that the model uses, largest first.

    Features over a lifetime grow with the history, and a window longer than the history that the oldest row
    had is still filling: both change without any buyer changing, and are left out.

    Parameters
    ----------
    history : timedelta
        How much was recorded before the oldest row that was learned from.
    """
    gain = np.asarray(score.booster_.feature_importance("gain"), dtype=np.float64)
    names = [str(name) for name in score.get_feature_names_out()]
    used = [n for n, g in zip(names, gain, strict=True) if g >= USED_GAIN * max(gain.sum(), 1.0)]
    compared = [n for n in used if (m := WINDOW.search(n)) and int(m[1]) <= history.days]
    found = {n: psi(learned[n], newest[n]) for n in compared}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


@dataclass(frozen=True)
class Moved:
    """One figure then, among those learned from, and now, among today's buyers.

    Attributes
    ----------
    means, missing : tuple of float
        Then and now: the mean of those who have a value, and the share of those who have none.
    """

    name: str
    psi: float
    means: tuple[float, float]
    missing: tuple[float, float]

    @classmethod
    def of(cls, name: str, then: ArrayLike, now: ArrayLike, *, index: float | None = None) -> Moved:
        """Compare; `index` where the stability index is known already."""
        both = [np.asarray(x, dtype=np.float64) for x in (then, now)]
        known = [x[~np.isnan(x)] for x in both]
        old, new = (float(x.mean()) if len(x) else float("nan") for x in known)
        shares = [1 - len(k) / max(len(x), 1) for k, x in zip(known, both, strict=True)]
        return cls(name, psi(*both) if index is None else index, (old, new), (shares[0], shares[1]))


def without_information(X: pd.DataFrame) -> dict[str, str]:
    """Name the columns that say the same of everybody: `all missing` or `constant`."""
    found = {}
    for name in X:
        column = X[name].to_numpy()
        missing = np.isnan(column)
        if missing.all():
            found[str(name)] = "all missing"
        elif not missing.any() and (column == column[0]).all():
            found[str(name)] = "constant"
    return found


def informative(score: BuyerScore) -> set[str]:
    """Columns that differed between rows when a model was fitted, as LightGBM has noted in it."""
    noted = score.booster_.dump_model(num_iteration=1)["feature_infos"]
    return {name for name, info in noted.items() if info["min_value"] < info["max_value"]}
