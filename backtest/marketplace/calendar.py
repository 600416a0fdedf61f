"""What is still to come, by the day on which it does."""

from __future__ import annotations

from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from .draws import DAY, Floats
from .orders import Columns

T = TypeVar("T", bound=Columns)


class Calendar(Generic[T]):
    """Rows by day; a day's are forgotten when they are taken, what comes after the last day at once."""

    def __init__(self, days: int) -> None:
        self._days: list[list[T]] = [[] for _ in range(days)]

    def add(self, rows: T, at: Floats) -> None:
        """Put rows down for the days of their instants, in seconds from the first day's begin."""
        by_time = np.argsort(at, kind="stable")
        by_time = by_time[: np.searchsorted(at[by_time], len(self._days) * DAY)]
        rows, day = rows.pick(by_time), (at[by_time] // DAY).astype(np.int64)
        days = np.unique(day)
        cuts = np.searchsorted(day, np.append(days, len(self._days)))
        for number, (low, high) in zip(days, pairwise(cuts), strict=True):
            self._days[number].append(rows.pick(slice(low, high)))

    def take(self, day: int) -> list[T]:
        """Give and forget a day's rows."""
        rows, self._days[day] = self._days[day], []
        return rows
