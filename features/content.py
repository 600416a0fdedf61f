"""What a log says up to an instant, as a fingerprint: not how its rows lie in files, and nothing later."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrange import hash_texts
from .layout import texts
from .needs import EVERYTHING
from .plan import NULL
from .scan import Log, batches

READ: Final = (
    *("event_id", "buyer_id", "kind", "recorded_at", "occurred_at", "link_value"),
    *sorted(EVERYTHING.columns - {"kind", "recorded_at", "occurred_at"}),
)
"""The columns that any feature can follow from."""

_ODD: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(29)

Hashes = npt.NDArray[np.uint64]


def fingerprints_before(log: Log, instants: npt.NDArray[np.int64]) -> list[str]:
    """Fingerprint, for each instant, the set of events recorded before it.

    The sum of a hash of each event: equal for any order of rows and files. Two logs that differ have the
    same with a chance of one in 2^64; it is no protection against someone who looks for such logs.

    Parameters
    ----------
    log : Log
    instants : int64 (n,)
        Microseconds, in any order.

    Raises
    ------
    BadInput
        As `features.scan.batches`.
    """
    order = np.argsort(instants)
    sums, counts = np.zeros(len(instants) + 1, np.uint64), np.zeros(len(instants) + 1, np.int64)
    for batch in batches(log, READ):
        recorded = batch.column("recorded_at").cast(pa.int64()).to_numpy()
        first = np.searchsorted(instants[order], recorded, side="right")
        np.add.at(sums, first, _of_rows(batch))
        counts += np.bincount(first, minlength=len(counts))
    sums, counts = np.cumsum(sums, dtype=np.uint64), np.cumsum(counts)
    found = [""] * len(instants)
    for at, instant in enumerate(order.tolist()):
        found[instant] = f"{counts[at]}-{sums[at]:016x}"
    return found


def _of_rows(batch: pa.RecordBatch) -> Hashes:
    found = np.zeros(len(batch), np.uint64)
    for name in READ:
        found = _mixed(found ^ _of_values(batch.column(name)))
    return found


def _of_values(column: Any) -> Hashes:
    if pa.types.is_dictionary(column.type):
        words = np.append(_of_texts(column.dictionary), _of_texts(pa.array([""])))
        at = pc.fill_null(column.indices.cast(pa.int64()), len(words) - 1)
        return np.asarray(words[at.to_numpy(zero_copy_only=False)])
    if pa.types.is_string(column.type):
        return _of_texts(column)
    whole = pc.fill_null(column.cast(pa.int64()), NULL)
    return np.asarray(whole.to_numpy(zero_copy_only=False)).view(np.uint64)


def _of_texts(column: pa.Array) -> Hashes:
    found = np.empty(len(column), np.uint64)
    hash_texts(*texts(column.cast(pa.large_string())), found)
    return found


def _mixed(values: Hashes) -> Hashes:
    """Spread every bit over all others; a column's place counts, as each is mixed in after the last."""
    values = (values + _ODD) * _ODD
    values = (values ^ (values >> _SHIFT)) * _ODD
    return np.asarray(values ^ (values >> _SHIFT))
