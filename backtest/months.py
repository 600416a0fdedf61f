"""A history's requests cut into months of UTC, each with what is known of its requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import starmap
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalog import CATALOG
from models.buyer_score import BuyerScore
from models.deciding.many import buyer_evidences

from .known import Turn
from .order_evidence import as_evidences
from .requests import as_requests

Matrix = npt.NDArray[np.float64]
AT_ONCE: Final = 256
"""Turns that are made before the first of them is decided: few enough to be still at hand then."""


@dataclass(frozen=True)
class Month:
    """The requests ``[start, stop)`` of a history that came in one month, named as 2026-03."""

    name: str
    start: int
    stop: int

    @property
    def begins(self) -> datetime:
        """Its first instant."""
        return begin_of(self.name)


def month_name(at: datetime) -> str:
    """Name the month of an instant in UTC."""
    return f"{at.year:04}-{at.month:02}"


def months_from(first: datetime, last: datetime) -> list[str]:
    """Name the months from that of one instant to that of another."""
    count = 12 * (last.year - first.year) + last.month - first.month + 1
    months = (first.year * 12 + first.month - 1 + n for n in range(count))
    return [f"{month // 12:04}-{month % 12 + 1:02}" for month in months]


def begin_of(month: str) -> datetime:
    """Give the first instant of a month such as 2026-03."""
    return datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)


class Vectors:
    """Feature vectors of a history's requests, read from their file in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, list[npt.NDArray[np.float64]]] | None = None

    def pieces(self, start: int, stop: int) -> Iterator[tuple[int, Matrix]]:
        """Yield rows ``[start, stop)``, at most `AT_ONCE` at a time, with the place of their first."""
        at = 0
        with pq.ParquetFile(self._path) as file:
            for group in range(file.num_row_groups):
                rows = file.metadata.row_group(group).num_rows
                low, high = max(start, at), min(stop, at + rows)
                for place in range(low, high, AT_ONCE):
                    some = slice(place - at, min(place + AT_ONCE, high) - at)
                    yield place, np.column_stack([c[some] for c in self._columns(file, group)])
                at += rows

    def _columns(self, file: pq.ParquetFile, group: int) -> list[npt.NDArray[np.float64]]:
        """Read a group of rows; the last one is kept, since months share them."""
        if self._read is None or self._read[0] != group:
            table = file.read_row_group(group)
            self._read = group, [table[name].to_numpy() for name in CATALOG.names]
        return self._read[1]


def turns_of(
    requests: pa.Table, vectors: Vectors, month: Month, *, score: BuyerScore
) -> Iterator[list[Turn]]:
    """Make the turns of a month, some at a time: requests, evidence of orders, scored vectors.

    Parameters
    ----------
    requests : pa.Table
        Those of the month.
    """
    for start, piece in vectors.pieces(month.start, month.stop):
        rows, places = requests.slice(start - month.start, len(piece)), range(start, start + len(piece))
        buyers = buyer_evidences(piece, score=score)
        known = zip(places, as_requests(rows), as_evidences(rows), buyers, strict=True)
        yield list(starmap(Turn, known))
