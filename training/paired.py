"""Two models on the same rows: differences with intervals over the same draws of buyers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .evaluate import Floats, Interval, ranking_measures, with_intervals

Measures = Mapping[str, Callable[[Floats], float]]


def differences(
    champion: Measures, challenger: Measures, *, groups: NDArray[np.int64], seed: int, n_draws: int
) -> dict[str, Interval]:
    """Measure challenger minus champion, with 95% intervals of a paired bootstrap of buyers."""
    both = {name: partial(_gap, champion[name], challenger[name]) for name in champion}
    return with_intervals(both, groups=groups, seed=seed, n_draws=n_draws)


def ranking_and_money(y: NDArray[np.int64], p: Floats, *, lost_fen: Floats, asked_fen: Floats) -> Measures:
    """Give the measures that two models are compared by.

    Parameters
    ----------
    y, p : ndarray of shape (n,)
        Labels and probabilities.
    lost_fen, asked_fen : ndarray of shape (n,)
        Fen that the model would refund at once to a row that is abusive, and that the row asks back.

    Returns
    -------
    mapping
        `roc_auc`, `average_precision` and `loss_share`, the refunds at once to abusers per fen asked back.
    """
    return ranking_measures(y, p) | {"loss_share": partial(_share, lost_fen, asked_fen)}


def _gap(champion: Callable[[Floats], float], challenger: Callable[[Floats], float], weight: Floats) -> float:
    return challenger(weight) - champion(weight)


def _share(part: Floats, whole: Floats, weight: Floats) -> float:
    total = float(weight @ whole)
    return float(weight @ part) / total if total else 0.0
