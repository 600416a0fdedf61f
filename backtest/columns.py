"""Columns of Arrow as whole numbers of NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]


def micros_of(column: pa.ChunkedArray) -> Ints:
    """Give the microseconds since 1970 of a column of times."""
    return np.asarray(column.cast(pa.int64()).to_numpy())


def places_of(column: pa.Array | pa.ChunkedArray, words: pa.Array) -> Ints:
    """Give the place of each value among ``words``, which must hold them all."""
    return np.asarray(pc.index_in(column, value_set=words).to_numpy()).astype(np.int64)
