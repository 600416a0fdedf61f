"""A booster's trees as tables of leaves: what exact tree SHAP needs of each, worked out once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LANES: Final = 4
"""Nodes that are worked on together, as many doubles as a processor's register holds."""
_CATEGORICAL: Final = 1
_LEFT_BY_DEFAULT: Final = 2


@dataclass(frozen=True)
class ShapTables:
    """Nodes and leaves of all trees.

    Attributes
    ----------
    missing : int64 (n_features,)
        LightGBM's kind of each feature: 0 reads NaN as zero, 1 sends NaN and zero the default way, 2 NaN.
    leaf_start : int64 (n_leaves + 1,)
        Leaf ``l`` has the entries ``[leaf_start[l], leaf_start[l + 1])``, one per feature on its path.
    leaf_value : float64 (n_leaves,)
    entry_feature : int64 (n_entries,)
    entry_cover : float64 (n_entries,)
        Share of training rows that pass the feature's splits on the path, of those that reach them.
    entry_low, entry_high : float64 (n_entries,)
        Values that pass: not at most the one (NaN where none is too low), at most the other.
    entry_default : bool (n_entries,)
        Whether a missing value passes.
    base : float
        Mean of the leaves' values over training rows, added up over trees.
    nodes, weights : float64 (most_entries + 1, most_nodes)
        Gauss-Legendre rules on (0, 1); row ``d`` is exact for polynomials of degree ``d - 1``. Nodes without
        weight fill up to a multiple of `LANES`.
    gain_start : int64 (n_leaves + 1,)
        Leaf ``l`` has the gains ``[gain_start[l], gain_start[l + 1])``.
    gain : float64
        ``(1 - z) / (t + z (1 - t))`` for each entry's cover ``z`` and each node ``t`` of its leaf's rule:
        by leaf, then by `LANES` nodes, then by entry.
    """

    missing: Ints
    leaf_start: Ints
    leaf_value: Floats
    entry_feature: Ints
    entry_cover: Floats
    entry_low: Floats
    entry_high: Floats
    entry_default: NDArray[np.bool_]
    base: float
    nodes: Floats
    weights: Floats
    gain_start: Ints
    gain: Floats


def tables_of(booster: lgb.Booster) -> ShapTables | None:
    """Work the tables out; None for trees that they cannot say (categorical, linear, averaged)."""
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    trees = [_Tree(block) for block in text.split("\nTree=")[1:]]
    averaged = "\naverage_output\n" in text
    if averaged or booster.num_model_per_iteration() != 1 or not all(tree.plain for tree in trees):
        return None
    missing = _missing(trees, booster.num_feature())
    if missing is None:
        return None
    leaves = [leaf for tree in trees for leaf in tree.leaves()]
    entries = [entry for _, path in leaves for entry in path]
    most = max((len(path) for _, path in leaves), default=0)
    nodes, weights, rule = _rules(most)
    gains = [_gains(path, nodes, rule) for _, path in leaves]
    return ShapTables(
        missing=missing,
        leaf_start=_starts([len(path) for _, path in leaves]),
        leaf_value=np.array([value for value, _ in leaves], np.float64),
        entry_feature=np.array([e.feature for e in entries], np.int64),
        entry_cover=np.array([e.cover for e in entries], np.float64),
        entry_low=np.array([e.low for e in entries], np.float64),
        entry_high=np.array([e.high for e in entries], np.float64),
        entry_default=np.array([e.default for e in entries], np.bool_),
        base=float(sum(tree.expected() for tree in trees)),
        nodes=nodes,
        weights=weights,
        gain_start=_starts([len(some) for some in gains]),
        gain=np.array([gain for some in gains for gain in some], np.float64),
    )


@dataclass(frozen=True)
class _Entry:
    feature: int
    cover: float = 1.0
    low: float = math.nan
    high: float = math.inf
    default: bool = True

    def left(self, cover: float, threshold: float, default: bool) -> _Entry:
        high = min(self.high, threshold)
        return _Entry(self.feature, self.cover * cover, self.low, high, self.default and default)

    def right(self, cover: float, threshold: float, default: bool) -> _Entry:
        low = threshold if math.isnan(self.low) else max(self.low, threshold)
        return _Entry(self.feature, self.cover * cover, low, self.high, self.default and not default)


class _Tree:
    """One tree of LightGBM's text."""

    def __init__(self, block: str) -> None:
        said = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        self.plain = said.get("num_cat", "0") == "0" and said.get("is_linear", "0") == "0"
        self.feature: Ints = _numbers(said, "split_feature", np.int64)
        self.threshold: Floats = _numbers(said, "threshold", np.float64)
        self.decision: Ints = _numbers(said, "decision_type", np.int64)
        self.plain &= not bool(np.any(self.decision & _CATEGORICAL))
        self.left: Ints = _numbers(said, "left_child", np.int64)
        self.right: Ints = _numbers(said, "right_child", np.int64)
        self.value: Floats = _numbers(said, "leaf_value", np.float64)
        self.leaf_count: Ints = _numbers(said, "leaf_count", np.int64)
        self.node_count: Ints = _numbers(said, "internal_count", np.int64)

    def count(self, child: int) -> int:
        return int(self.node_count[child] if child >= 0 else self.leaf_count[~child])

    def expected(self) -> float:
        if len(self.feature) == 0:
            return float(self.value[0])
        return float((self.leaf_count / self.node_count[0]) @ self.value)

    def leaves(self) -> Iterator[tuple[float, list[_Entry]]]:
        """Yield each leaf's value and path; a tree without a split has none that tells anything."""
        waiting: list[tuple[int, dict[int, _Entry]]] = [(0, {})] if len(self.feature) else []
        while waiting:
            at, path = waiting.pop()
            if at < 0:
                yield float(self.value[~at]), list(path.values())
                continue
            feature, threshold, count = int(self.feature[at]), float(self.threshold[at]), self.count(at)
            entry, default = path.get(feature, _Entry(feature)), bool(self.decision[at] & _LEFT_BY_DEFAULT)
            left, right = int(self.left[at]), int(self.right[at])
            lefts = entry.left(self.count(left) / count, threshold, default)
            rights = entry.right(self.count(right) / count, threshold, default)
            waiting += [(left, {**path, feature: lefts}), (right, {**path, feature: rights})]


def _missing(trees: list[_Tree], n_features: int) -> Ints | None:
    """Give each feature's kind of missing values; None if a feature has two."""
    kinds = np.full(n_features, -1, np.int64)
    for tree in trees:
        for feature, kind in zip(tree.feature.tolist(), (tree.decision >> 2 & 3).tolist(), strict=True):
            if kinds[feature] not in (-1, kind):
                return None
            kinds[feature] = kind
    return kinds


def _gains(path: list[_Entry], nodes: Floats, rule: Ints) -> list[float]:
    points = nodes[len(path), : rule[len(path)]].tolist()
    together = [points[q : q + LANES] for q in range(0, len(points), LANES)]
    return [(1.0 - e.cover) / (t + e.cover * (1.0 - t)) for some in together for e in path for t in some]


def _numbers(said: dict[str, str], name: str, kind: type) -> NDArray[Any]:
    return np.array(said.get(name, "").split(), dtype=kind)


def _starts(lengths: list[int]) -> Ints:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _rules(most: int) -> tuple[Floats, Floats, Ints]:
    needed = [(d + 1) // 2 for d in range(most + 1)]
    rule = np.array([-(-n // LANES) * LANES for n in needed], np.int64)
    nodes, weights = np.full((most + 1, rule[-1]), 0.5), np.zeros((most + 1, rule[-1]))
    for d, n in enumerate(needed[1:], start=1):
        x, w = np.polynomial.legendre.leggauss(n)
        nodes[d, :n], weights[d, :n] = (x + 1) / 2, w / 2
    return nodes, weights, rule
