"""Reasons: exact tree SHAP contributions, added up by what a person would say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Text = Mapping[str, str]


@dataclass(frozen=True)
class Reason:
    """One reason for one buyer's score: positive contributions raise the probability of abuse."""

    code: str
    text: Text
    contribution: float


@dataclass(frozen=True)
class ReasonGroups:
    """Which reason each feature speaks for, aligned to the model's columns, and the words for it.

    Attributes
    ----------
    codes : tuple of str
        One code per feature.
    texts : mapping of str to mapping of str
        Texts in Chinese (`zh`) and English (`en`) by code; a code without any is its own text.
    """

    codes: tuple[str, ...]
    texts: Mapping[str, Text]

    @cached_property
    def unique(self) -> tuple[str, ...]:
        """Codes in the order in which the features name them first."""
        return tuple(dict.fromkeys(self.codes))

    def grouped(self, contributions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up contributions (n, n_features + 1) by code, to (n, n_codes + 1); the base stays last."""
        return np.array([np.bincount(self._target, weights=row) for row in contributions])

    @cached_property
    def _target(self) -> NDArray[np.int64]:
        """Say which sum each contribution goes to."""
        position = {code: i for i, code in enumerate(self.unique)}
        return np.array([*(position[code] for code in self.codes), len(position)], np.int64)

    def top(self, contributions: NDArray[np.float64], *, limit: int | None = 3) -> list[list[Reason]]:
        """Give each row's strongest reasons, by absolute effect, then by code, none without effect."""
        codes = self.unique
        return [self._rank(codes, row[:-1], limit) for row in self.grouped(contributions).tolist()]

    def _rank(self, codes: Sequence[str], effects: Sequence[float], limit: int | None) -> list[Reason]:
        order = sorted(zip([-abs(effect) for effect in effects], codes, effects, strict=True))
        return [self._reason(code, effect) for _, code, effect in order[:limit] if effect != 0.0]

    def _reason(self, code: str, contribution: float) -> Reason:
        return Reason(code, self.texts.get(code) or {"zh": code, "en": code}, contribution)
