"""A booster's trees as tables of leaves: what exact tree SHAP needs of each, worked out once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_CATEGORICAL: Final = 1
_LEFT_BY_DEFAULT: Final = 2


@dataclass(frozen=True)
class ShapTables:
    """Nodes and leaves of all trees.

    Attributes
    ----------
    feature, threshold, missing, default_left : arrays (n_nodes,)
        A node sends a row left when its feature is at most the threshold. ``missing`` is LightGBM's kind: 0
        reads NaN as zero, 1 sends NaN and zero the default way, 2 NaN.
    leaf_start : int64 (n_leaves + 1,)
        Leaf ``l`` has the entries ``[leaf_start[l], leaf_start[l + 1])``, one per feature on its path.
    leaf_value : float64 (n_leaves,)
    entry_feature : int64 (n_entries,)
    entry_cover : float64 (n_entries,)
        Share of training rows that pass the feature's splits on the path, of those that reach them.
    step_start : int64 (n_entries + 1,)
        Jagged, like ``leaf_start``: the splits of an entry.
    step : int64
        Twice the node, plus one where the path goes left.
    base : float
        Mean of the leaves' values over training rows, added up over trees.
    nodes, weights : float64 (most_entries + 1, most_nodes)
        Gauss-Legendre rules on (0, 1); row ``d`` is exact for polynomials of degree ``d - 1``.
    rule : int64 (most_entries + 1,)
        How many nodes each rule has.
    gain : float64
        ``(1 - z) / (t + z (1 - t))`` for each entry's cover ``z`` and each node ``t`` of its leaf's rule.
    """

    feature: Ints
    threshold: Floats
    missing: Ints
    default_left: NDArray[np.bool_]
    leaf_start: Ints
    leaf_value: Floats
    entry_feature: Ints
    entry_cover: Floats
    step_start: Ints
    step: Ints
    base: float
    nodes: Floats
    weights: Floats
    rule: Ints
    gain: Floats


def tables_of(booster: lgb.Booster) -> ShapTables | None:
    """Work the tables out; None for trees that they cannot say (categorical, linear, averaged)."""
    text = booster.model_to_string(num_iteration=booster.best_iteration)
    trees = [_Tree(block) for block in text.split("\nTree=")[1:]]
    averaged = "\naverage_output\n" in text
    if averaged or booster.num_model_per_iteration() != 1 or not all(tree.plain for tree in trees):
        return None
    leaves, before = [], 0
    for tree in trees:
        leaves += [(value, _shifted(path, before)) for value, path in tree.leaves()]
        before += len(tree.feature)
    entries = [entry for _, path in leaves for entry in path]
    most = max((len(path) for _, path in leaves), default=0)
    nodes, weights, rule = _rules(most)
    return ShapTables(
        feature=_joined([t.feature for t in trees], np.int64),
        threshold=_joined([t.threshold for t in trees], np.float64),
        missing=_joined([t.decision >> 2 & 3 for t in trees], np.int64),
        default_left=_joined([t.decision & _LEFT_BY_DEFAULT > 0 for t in trees], np.bool_),
        leaf_start=_starts([len(path) for _, path in leaves]),
        leaf_value=np.array([value for value, _ in leaves], np.float64),
        entry_feature=np.array([e.feature for e in entries], np.int64),
        entry_cover=np.array([e.cover for e in entries], np.float64),
        step_start=_starts([len(e.steps) for e in entries]),
        step=np.array([s for e in entries for s in e.steps], np.int64),
        base=float(sum(tree.expected() for tree in trees)),
        nodes=nodes,
        weights=weights,
        rule=rule,
        gain=np.array([gain for _, path in leaves for gain in _gains(path, nodes, rule)], np.float64),
    )


@dataclass(frozen=True)
class _Entry:
    feature: int
    cover: float
    steps: tuple[int, ...]

    def then(self, cover: float, step: int) -> _Entry:
        return _Entry(self.feature, self.cover * cover, (*self.steps, step))


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
            feature, count = int(self.feature[at]), self.count(at)
            entry = path.get(feature, _Entry(feature, 1.0, ()))
            for child, left in ((int(self.left[at]), 1), (int(self.right[at]), 0)):
                share = self.count(child) / count
                waiting.append((child, {**path, feature: entry.then(share, 2 * at + left)}))


def _gains(path: list[_Entry], nodes: Floats, rule: Ints) -> list[float]:
    points = nodes[len(path), : rule[len(path)]].tolist()
    return [(1.0 - e.cover) / (t + e.cover * (1.0 - t)) for e in path for t in points]


def _numbers(said: dict[str, str], name: str, kind: type) -> NDArray[Any]:
    return np.array(said.get(name, "").split(), dtype=kind)


def _shifted(path: list[_Entry], nodes: int) -> list[_Entry]:
    return [_Entry(e.feature, e.cover, tuple(s + 2 * nodes for s in e.steps)) for e in path]


def _joined(parts: list[NDArray[Any]], kind: type) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind)


def _starts(lengths: list[int]) -> Ints:
    return np.cumsum([0, *lengths], dtype=np.int64)


def _rules(most: int) -> tuple[Floats, Floats, Ints]:
    rule = np.array([(d + 1) // 2 for d in range(most + 1)], np.int64)
    nodes, weights = np.zeros((2, most + 1, int(rule[-1]) or 1))
    for d in range(1, most + 1):
        x, w = np.polynomial.legendre.leggauss(int(rule[d]))
        nodes[d, : rule[d]], weights[d, : rule[d]] = (x + 1) / 2, w / 2
    return nodes, weights, rule
