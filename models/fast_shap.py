r"""Exact tree SHAP of one row, leaf by leaf.

The Shapley value of feature :math:`i` in a leaf of value :math:`v` whose path tests :math:`d` features is

.. math:: v (o_i - z_i) \int_0^1 \prod_{j \ne i} (o_j t + z_j (1 - t)) \, dt,

where :math:`o_j` is 1 if the row passes the path's splits on :math:`j`, else 0, and :math:`z_j` is the share
of training rows that do: the weight :math:`s! (d - 1 - s)! / d!` of a coalition of :math:`s` features is
:math:`\int t^s (1 - t)^{d - 1 - s} dt`. The integrand is a polynomial, so a Gauss-Legendre rule of
:math:`\lceil d / 2 \rceil` nodes is exact. Every feature that the row fails gets the same share
(:math:`z_i` cancels), so the sums below have neither a branch nor a division per feature. A short path can be
passed in few ways only: its shares are worked out once for each, and a row looks them up.
Equal to LightGBM's ``pred_contrib`` (Lundberg et al. 2020, algorithm 2) up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from .shap_tables import LANES, Floats, Ints, ShapTables, tables_of

try:
    from numba import njit
except ImportError:  # a model on its own does without
    njit = None  # type: ignore[assignment]

_ZERO: Final = float(np.float32(1e-35))
"""Up to here LightGBM takes a value for zero when it reads a row."""
LOOKED_UP: Final = 3
"""Paths of so many features or fewer are looked up: eight ways to pass them."""


class FastShap:
    """Contributions of one booster's trees, a row at a time; any thread may ask."""

    def __init__(self, tables: ShapTables, *, n_features: int) -> None:
        leaves = (tables.leaf_start, tables.leaf_value)
        rules = (tables.nodes, tables.weights, tables.gain_start, tables.gain)
        sizes = np.diff(tables.leaf_start)
        ways = np.where(sizes <= LOOKED_UP, sizes << np.minimum(sizes, LOOKED_UP), 0)
        known_start = np.cumsum([0, *ways])
        known = np.empty(known_start[-1])
        _shares(*leaves, tables.entry_cover, *rules, known_start, known)
        entries = (tables.entry_feature, tables.entry_cover)
        passing = (tables.entry_low, tables.entry_high, tables.entry_default)
        self._tables = (tables.missing, *leaves, *entries, *passing, *rules, known_start, known)
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
def _share(
    passed: Floats,
    value: float,
    cover: Floats,
    nodes: Floats,
    weights: Floats,
    gain: Floats,
    out: Floats,
) -> None:
    """Give each feature on a leaf's path its share; ``passed`` is 1 where the row passes, else 0."""
    size, g = len(cover), 0
    out[:] = 0.0
    for q in range(0, len(gain) // max(size, 1), LANES):
        t0, t1, t2, t3 = nodes[size, q], nodes[size, q + 1], nodes[size, q + 2], nodes[size, q + 3]
        u0, u1, u2, u3 = 1.0 - t0, 1.0 - t1, 1.0 - t2, 1.0 - t3
        p0, p1 = weights[size, q] * value, weights[size, q + 1] * value
        p2, p3 = weights[size, q + 2] * value, weights[size, q + 3] * value
        for k in range(size):
            z, o = cover[k], passed[k]
            p0 *= z * u0 + o * t0
            p1 *= z * u1 + o * t1
            p2 *= z * u2 + o * t2
            p3 *= z * u3 + o * t3
        failing = p0 / u0 + p1 / u1 + p2 / u2 + p3 / u3
        for k in range(size):
            passing = p0 * gain[g] + p1 * gain[g + 1] + p2 * gain[g + 2] + p3 * gain[g + 3]
            g += LANES
            out[k] += passed[k] * passing - (1.0 - passed[k]) * failing


@_compiled
def _shares(
    leaf_start: Ints,
    leaf_value: Floats,
    entry_cover: Floats,
    nodes: Floats,
    weights: Floats,
    gain_start: Ints,
    gain: Floats,
    known_start: Ints,
    known: Floats,
) -> None:
    """Work the shares of short paths out for every way a row may pass them."""
    for leaf in range(len(leaf_value)):
        start, end = leaf_start[leaf], leaf_start[leaf + 1]
        size = end - start
        passed = np.empty(size)
        for way in range((known_start[leaf + 1] - known_start[leaf]) // max(size, 1)):
            for k in range(size):
                passed[k] = way >> k & 1
            at = known_start[leaf] + way * size
            gains = gain[gain_start[leaf] : gain_start[leaf + 1]]
            cover = entry_cover[start:end]
            _share(passed, leaf_value[leaf], cover, nodes, weights, gains, known[at : at + size])


@_compiled
def _contribute(
    row: Floats,
    missing: Ints,
    leaf_start: Ints,
    leaf_value: Floats,
    entry_feature: Ints,
    entry_cover: Floats,
    entry_low: Floats,
    entry_high: Floats,
    entry_default: NDArray[np.bool_],
    nodes: Floats,
    weights: Floats,
    gain_start: Ints,
    gain: Floats,
    known_start: Ints,
    known: Floats,
    out: Floats,
) -> None:
    absent, value = np.empty(len(row), np.bool_), np.empty(len(row))
    for f in range(len(row)):
        unknown, zero = np.isnan(row[f]), -_ZERO <= row[f] <= _ZERO
        absent[f] = (unknown and missing[f] > 0) or (zero and missing[f] == 1)
        value[f] = 0.0 if unknown or zero else row[f]
    passed, shares = np.empty(len(nodes)), np.empty(len(nodes))
    for leaf in range(len(leaf_value)):
        start, end = leaf_start[leaf], leaf_start[leaf + 1]
        size, way = end - start, 0
        for k in range(size):
            e = start + k
            f = entry_feature[e]
            inside = (not value[f] <= entry_low[e]) & (value[f] <= entry_high[e])
            through = entry_default[e] if absent[f] else inside
            passed[k] = through
            way |= through << k
        at = known_start[leaf] + way * size
        if known_start[leaf] < known_start[leaf + 1]:
            for k in range(size):
                out[entry_feature[start + k]] += known[at + k]
        else:
            gains = gain[gain_start[leaf] : gain_start[leaf + 1]]
            cover = entry_cover[start:end]
            _share(passed[:size], leaf_value[leaf], cover, nodes, weights, gains, shares[:size])
            for k in range(size):
                out[entry_feature[start + k]] += shares[k]
