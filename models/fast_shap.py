r"""Exact tree SHAP of one row, leaf by leaf.

The Shapley value of feature :math:`i` in a leaf of value :math:`v` whose path tests :math:`d` features is

.. math:: v (o_i - z_i) \int_0^1 \prod_{j \ne i} (o_j t + z_j (1 - t)) \, dt,

where :math:`o_j` is 1 if the row passes the path's splits on :math:`j`, else 0, and :math:`z_j` is the share
of training rows that do: the weight :math:`s! (d - 1 - s)! / d!` of a coalition of :math:`s` features is
:math:`\int t^s (1 - t)^{d - 1 - s} dt`. The integrand is a polynomial, so a Gauss-Legendre rule of
:math:`\lceil d / 2 \rceil` nodes is exact. Every feature that the row fails gets the same share
(:math:`z_i` cancels), so the sums below have neither a branch nor a division per feature.
Equal to LightGBM's ``pred_contrib`` (Lundberg et al. 2020, algorithm 2) up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from .shap_tables import Floats, Ints, ShapTables, tables_of

try:
    from numba import njit
except ImportError:  # a model on its own does without
    njit = None  # type: ignore[assignment]

_ZERO: Final = float(np.float32(1e-35))
"""What LightGBM takes for zero."""


class FastShap:
    """Contributions of one booster's trees, a row at a time; any thread may ask."""

    def __init__(self, tables: ShapTables, *, n_features: int) -> None:
        self._tables = tuple(v for name, v in vars(tables).items() if name != "base")
        self._base = tables.base
        self._n_features = n_features

    @classmethod
    def of(cls, booster: lgb.Booster) -> FastShap | None:
        """Prepare a booster; None without numba, or where its trees need LightGBM's own way."""
        if njit is None:
            return None
        tables = tables_of(booster)
        return None if tables is None else cls(tables, n_features=booster.num_feature())

    def contributions(self, vector: NDArray[np.float64]) -> NDArray[np.float64]:
        """Contributions of one contiguous float64 (n_features,), shape (n_features + 1,), the base last."""
        out = np.zeros(self._n_features + 1)
        _contribute(vector, *self._tables, out)
        out[-1] = self._base
        return out


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    if njit is None:
        return function
    try:
        made = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # nowhere to write the cache
        made = njit(nogil=True, error_model="numpy")(function)
    return cast("Callable[..., Any]", made)


@_compiled
def _goes_left(value: float, threshold: float, missing: int, default_left: bool) -> bool:
    if np.isnan(value):
        if missing == 2:
            return default_left
        value = 0.0
    if missing == 1 and -_ZERO <= value <= _ZERO:
        return default_left
    return value <= threshold


@_compiled
def _contribute(
    row: Floats,
    feature: Ints,
    threshold: Floats,
    missing: Ints,
    default_left: NDArray[np.bool_],
    leaf_start: Ints,
    leaf_value: Floats,
    entry_feature: Ints,
    entry_cover: Floats,
    step_start: Ints,
    step: Ints,
    nodes: Floats,
    weights: Floats,
    rule: Ints,
    gain: Floats,
    out: Floats,
) -> None:
    sent = np.empty(2 * len(feature), np.bool_)
    for n in range(len(feature)):
        left = _goes_left(row[feature[n]], threshold[n], missing[n], default_left[n])
        sent[2 * n], sent[2 * n + 1] = not left, left
    passed, product = np.empty(len(rule)), np.empty(nodes.shape[1])
    g = 0
    for leaf in range(len(leaf_value)):
        start = leaf_start[leaf]
        size = leaf_start[leaf + 1] - start
        for k in range(size):
            through = True
            for s in range(step_start[start + k], step_start[start + k + 1]):
                through &= sent[step[s]]
            passed[k] = through
        failing = 0.0
        for q in range(rule[size]):
            t = nodes[size, q]
            value = weights[size, q] * leaf_value[leaf]
            for k in range(size):
                value *= entry_cover[start + k] * (1.0 - t) + passed[k] * t
            product[q] = value
            failing += value / (1.0 - t)
        for k in range(size):
            passing = 0.0
            for q in range(rule[size]):
                passing += product[q] * gain[g]
                g += 1
            out[entry_feature[start + k]] += passed[k] * passing - (1.0 - passed[k]) * failing
