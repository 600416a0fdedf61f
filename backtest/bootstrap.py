"""Intervals of sums and of their ratios, by drawing buyers again: a buyer's requests stay together.

The Poisson bootstrap (Chamandy et al. 2012): each buyer counts as often as a draw from Poisson(1) says. One
draw serves all policies, so that their differences are compared on the same buyers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

DRAWS: Final = 300
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Figure:
    """A figure with its 95% interval over buyers; None where there is nothing to divide by."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Sums:
    """Named sums by buyer, and what they come to when buyers are drawn again.

    Parameters
    ----------
    columns : mapping of str to float64 (n_buyers,)
    seed : int
    """

    def __init__(self, columns: Mapping[str, Floats], *, seed: int = 0, draws: int = DRAWS) -> None:
        self._place = {name: i for i, name in enumerate(columns)}
        matrix = np.column_stack(list(columns.values()))
        rng = np.random.default_rng(seed)
        self._found = matrix.sum(axis=0)
        self._drawn = np.array(
            [rng.poisson(1.0, len(matrix)).astype(np.float64) @ matrix for _ in range(draws)]
        )

    def figure(self, of: Callable[[Callable[[str], Floats]], Floats]) -> Figure:
        """Give a figure that is computed from sums by name."""
        value = float(of(lambda name: self._found[self._place[name]]))
        drawn = np.asarray(of(lambda name: self._drawn[:, self._place[name]]))
        sound = drawn[np.isfinite(drawn)]
        if not np.isfinite(value):
            return Figure(None)
        low, high = np.percentile(sound, [2.5, 97.5]) if len(sound) else (None, None)
        return Figure(value, None if low is None else float(low), None if high is None else float(high))

    def total(self, name: str) -> Figure:
        """Give a sum."""
        return self.figure(lambda sums: sums(name))

    def ratio(self, part: str, whole: str) -> Figure:
        """Give the ratio of two sums."""
        return self.figure(lambda sums: divided(sums(part), sums(whole)))

    def gap(self, one: tuple[str, str], other: tuple[str, str]) -> Figure:
        """Give how much larger one ratio is than another, on the same buyers."""
        return self.figure(lambda s: divided(s(one[0]), s(one[1])) - divided(s(other[0]), s(other[1])))


def divided(part: Floats, whole: Floats) -> Floats:
    """Divide; not a number where the divisor is 0."""
    whole = np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole != 0))


def median_of(values: Floats, *, seed: int = 0, draws: int = DRAWS) -> Figure:
    """Give the median of one value a buyer."""
    if not len(values):
        return Figure(None)
    rng = np.random.default_rng(seed)
    drawn = [np.median(rng.choice(values, len(values))) for _ in range(draws)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Figure(float(np.median(values)), float(low), float(high))
