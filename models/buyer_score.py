"""The score: a scikit-learn classifier around LightGBM that is monotone, calibrated and explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from . import saved, trees
from .assessment import Assessment
from .calibration import fit_platt
from .reasons import Reason, ReasonGroups, Text
from .scale import bounded_probability, points_of
from .single_row import SingleRow

MANY: Final = 40
"""From so many rows on, LightGBM's preparation of a call is worth it."""


class BuyerScore(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Probability that a buyer abuses refunds, with points and reasons.

    Gradient-boosted trees under monotone constraints give a raw margin; a line fitted on out-of-fold margins
    turns it into log-odds; a fixed scale turns those into points. NaN means that a feature is not defined.

    Parameters
    ----------
    monotone : mapping of str to int, optional
        Direction by feature: +1 where more can only raise the probability of the positive class, -1
        where more can only lower it; what is not named is free.
    reason_codes : mapping of str to str, optional
        Reason code by feature; a feature without one speaks for itself.
    reason_texts : mapping of str to mapping of str to str, optional
        Texts by reason code, then by language (`zh`, `en`).
    catalog_version : str, optional
        Version of the feature catalog that made the columns; travels with the model.
    learning_rate, num_leaves, max_depth, min_child_samples, l2, path_smooth : float or int
        LightGBM's, chosen for few positives: shallow trees, whose pairs of features generalise.
    feature_fraction, bagging_fraction : float
        Share of features and of rows that a tree sees.
    extra_trees : bool
        Draw each split's threshold at random instead of searching the best: less variance on few rows.
    weigh_groups : bool
        Let each group count once however many rows it has, where `fit` is given groups.
    max_trees, patience : int
        Upper limit of trees, and how many without gain end the search for their number.
    n_folds : int
        Stratified folds when `fit` is given none.
    random_state : int
        Seed; the same data and seed give the same model on any number of threads.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels; the second is the positive class.
    n_features_in_, feature_names_in_
        As in scikit-learn.
    n_trees_ : int
        Trees chosen by validation.
    calibrator_ : PlattCalibrator
        Fitted on out-of-fold margins.
    """

    def __init__(
        self,
        *,
        monotone: Mapping[str, int] | None = None,
        reason_codes: Mapping[str, str] | None = None,
        reason_texts: Mapping[str, Text] | None = None,
        catalog_version: str | None = None,
        learning_rate: float = 0.02,
        num_leaves: int = 4,
        max_depth: int = 2,
        min_child_samples: int = 30,
        l2: float = 1.0,
        path_smooth: float = 1.0,
        feature_fraction: float = 0.4,
        bagging_fraction: float = 0.7,
        extra_trees: bool = False,
        weigh_groups: bool = False,
        max_trees: int = 1200,
        patience: int = 150,
        n_folds: int = 4,
        random_state: int = 0,
    ) -> None:
        self.monotone = monotone
        self.reason_codes = reason_codes
        self.reason_texts = reason_texts
        self.catalog_version = catalog_version
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.max_depth = max_depth
        self.min_child_samples = min_child_samples
        self.l2 = l2
        self.path_smooth = path_smooth
        self.feature_fraction = feature_fraction
        self.bagging_fraction = bagging_fraction
        self.extra_trees = extra_trees
        self.weigh_groups = weigh_groups
        self.max_trees = max_trees
        self.patience = patience
        self.n_folds = n_folds
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        folds: Sequence[trees.Fold] | None = None,
        groups: ArrayLike | None = None,
        offset: ArrayLike | None = None,
        judged: ArrayLike | None = None,
    ) -> Self:
        """Choose the number of trees and calibrate on the folds, then fit the trees on every row.

        Parameters
        ----------
        X : array-like of shape (n, n_features)
            Features; NaN where not defined.
        y : array-like of shape (n,)
            Two classes; the larger label is the positive one.
        folds : sequence of (train, valid) row positions, optional
            Time-ordered splits; without them stratified folds are drawn.
        groups : array-like of shape (n,), optional
            Buyers, kept whole by the drawn folds.
        offset : array-like of shape (n,), optional
            Log-odds known of each row beforehand, such as its snapshot's base rate: the trees learn what
            comes on top, and the calibration adds the base rate of the rows validated on.
        judged : array-like of bool of shape (n,), optional
            Rows that drawn folds may validate on; without it, all.

        Raises
        ------
        ValueError
            One class only, more than two, or a class too small to validate on; says the counts.
        """
        checked, labels = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        target = self._target(labels)
        params = self._params(n_threads=trees.threads(checked))
        data = trees.dataset(
            checked,
            target,
            params=params,
            weight=once_each(groups) if self.weigh_groups and groups is not None else None,
            offset=None if offset is None else np.asarray(offset, dtype=np.float64),
        )
        chosen = folds if folds is not None else self._drawn_folds(target, groups, judged)
        self.n_trees_, rows, margins = trees.validate(
            data, params=params, folds=chosen, max_trees=self.max_trees, patience=self.patience
        )
        self.calibrator_ = fit_platt(margins, target[rows])
        names = list(self.get_feature_names_out())
        self.booster_ = trees.grow(data, params=params, n_trees=self.n_trees_, names=names)
        return self

    def raw_margin(self, X: ArrayLike) -> NDArray[np.float64]:
        """Raw scores of the trees, shape (n,): log-odds before calibration."""
        checked = self._checked(X)
        return trees.margin(self.booster_, checked)

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Calibrated log-odds of the positive class, shape (n,); above 0 means `predict` gives that class."""
        margin = self.raw_margin(X)
        return self.calibrator_.log_odds(margin)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Calibrated probabilities of both classes, shape (n, 2)."""
        p = bounded_probability(self.decision_function(X))
        return np.column_stack([1.0 - p, p])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Give the likelier class, shape (n,)."""
        positive = self.decision_function(X) > 0
        return np.asarray(self.classes_[positive.astype(int)])

    def points(self, X: ArrayLike) -> NDArray[np.float64]:
        """Points from 300 to 900, shape (n,); higher is better."""
        return points_of(bounded_probability(self.decision_function(X)))

    def contributions(self, X: ArrayLike) -> NDArray[np.float64]:
        """Exact tree SHAP, shape (n, n_features + 1), the base last; each row adds up to `raw_margin`."""
        checked = self._checked(X)
        return trees.shap(self.booster_, checked)

    def reasons(self, X: ArrayLike, *, limit: int | None = 3) -> list[list[Reason]]:
        """Give the strongest reasons of each row, with their texts."""
        return self.reason_groups.top(self.contributions(X), limit=limit)

    def assess(self, vector: NDArray[np.float64]) -> Assessment:
        """Score one vector of shape (n_features,) with the least work; safe to call from many threads."""
        margin = self.single_row().margin(vector)
        p = self.calibrator_.probability(margin)
        return Assessment(margin, float(p), float(points_of(p)))

    def assess_all(self, vectors: Sequence[NDArray[np.float64]] | NDArray[np.float64]) -> list[Assessment]:
        """Score vectors (n, n_features), few or many: the very bits that `assess` gives each."""
        if len(vectors) < MANY:
            single = self.single_row()
            margin = np.array([single.margin(vector) for vector in vectors])
        else:
            margin = trees.margin(self.booster_, np.ascontiguousarray(vectors))
        p = self.calibrator_.probability(margin)
        return list(map(Assessment, margin.tolist(), p.tolist(), points_of(p).tolist()))

    def explain(self, vector: NDArray[np.float64], *, limit: int | None = 3) -> list[Reason]:
        """Reasons of one vector of shape (n_features,)."""
        contributions = self.single_row().contributions(vector)
        return self._groups.top(contributions.reshape(1, -1), limit=limit)[0]

    @property
    def reason_groups(self) -> ReasonGroups:
        """Which reason each column speaks for."""
        codes = self.reason_codes or {}
        names = self.get_feature_names_out()
        return ReasonGroups(tuple(codes.get(name, name) for name in names), self.reason_texts or {})

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Names of the columns, `x0`, `x1`, … where `fit` saw none."""
        check_is_fitted(self, "n_features_in_")
        names = getattr(self, "feature_names_in_", [f"x{i}" for i in range(self.n_features_in_)])
        return np.asarray(names, dtype=object)

    def save(self, directory: Path) -> None:
        """Write the trees as LightGBM's text and everything else as JSON; nothing is pickled."""
        check_is_fitted(self, "booster_")
        saved.write(self, directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote; predictions are the same bytes."""
        return saved.read(cls, directory)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is bound to this process; it is made again when first needed."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name not in ("_prepared", "_groups")}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        return tags

    def single_row(self) -> SingleRow:
        """The trees prepared for single rows; made anew after another `fit`."""
        prepared: SingleRow | None = getattr(self, "_prepared", None)
        if prepared is None or prepared.booster is not getattr(self, "booster_", None):
            check_is_fitted(self, "booster_")
            prepared = self._prepared = SingleRow(self.booster_)
            self._groups = self.reason_groups
        return prepared

    def _checked(self, X: ArrayLike) -> NDArray[np.float64]:
        check_is_fitted(self, "booster_")
        checked = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return cast("NDArray[np.float64]", checked)

    def _target(self, y: NDArray[Any]) -> NDArray[np.float64]:
        kind = type_of_target(y, input_name="y", raise_unknown=True)
        self.classes_, encoded, counts = np.unique(y, return_inverse=True, return_counts=True)
        found = ", ".join(f"{c!r}: {n}" for c, n in zip(self.classes_.tolist(), counts, strict=True))
        if kind not in {"binary", "multiclass"} or len(counts) > 2:
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if len(counts) < 2:
            raise ValueError(f"cannot learn from one class only: rows by label {{{found}}}; both are needed")
        if counts.min() < 2:
            raise ValueError(f"needs at least two rows of each class to validate on, found {{{found}}}")
        return encoded.astype(np.float64)

    def _params(self, *, n_threads: int) -> dict[str, Any]:
        names = list(self.get_feature_names_out())
        directions = self.monotone or {}
        if unknown := sorted(set(directions) - set(names)):
            raise ValueError(f"monotone names no column of X: {', '.join(unknown)}")
        return dict(trees.FIXED) | {
            "monotone_constraints": [directions.get(name, 0) for name in names],
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "max_depth": self.max_depth,
            "min_data_in_leaf": self.min_child_samples,
            "lambda_l2": self.l2,
            "path_smooth": self.path_smooth,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "extra_trees": self.extra_trees,
            "seed": self.random_state,
            "num_threads": n_threads,
        }

    def _drawn_folds(
        self, target: NDArray[np.float64], groups: ArrayLike | None, judged: ArrayLike | None
    ) -> list[trees.Fold]:
        n_folds = int(min(self.n_folds, target.sum(), len(target) - target.sum()))
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        drawn = kind(n_folds, shuffle=True, random_state=self.random_state)
        allowed = np.ones(len(target), dtype=bool) if judged is None else np.asarray(judged, dtype=bool)
        found = drawn.split(target, target, groups)
        return [(train, valid[allowed[valid]]) for train, valid in found]


def once_each(groups: ArrayLike) -> NDArray[np.float64]:
    """Weights of rows by which every group weighs the same; their mean is 1."""
    _, group, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    weight = 1.0 / sizes[group]
    return np.asarray(weight / weight.mean())
