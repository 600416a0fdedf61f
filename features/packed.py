"""A buyer's history as bytes that a row of a database can hold: append events to it, read features off it.

The bytes are little-endian words: a head (`features.fold.HEAD`), the totals of folded events by accumulator,
when each selector was last and first met, the values of medians without a window, the recent events
(`features.fold.RECENT`); then what only appending needs: orders, the digests that number orders, shops and
categories, the latest event of each in every distinct count, and the last event's id. An event that
has left the longest window is folded: it lives on in the totals. The bytes belong to one
layout and one catalog; after a change of either they are rebuilt from the log.

Events are appended in the order of `features.events.SORT_KEYS`. One that occurred earlier but is recorded now
is in order. One that was recorded before the last is not: `OutOfOrder`, and the history is rebuilt from
the log, which has all of them. An event that is appended again is passed over while it is recent, and
`OutOfOrder` once it is folded.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from .catalog import CATALOG
from .compile import Catalog
from .errors import BadInput
from .fold import OK, OTHER_PLAN, Bytes, read_vector
from .packed_state import LAYOUT_VERSION, OtherLayout, OutOfOrder, State, digest, sum_start
from .rows import Row, in_order, microseconds, own_rows

__all__ = (
    "AskedTooEarly",
    "OtherLayout",
    "OutOfOrder",
    "append_rows",
    "pack_rows",
    "packed_vector",
)

FOLD_AT_LEAST: Final = 64
"""Fewer old events than this, or than an eighth of the recent, wait for more before they are folded."""


class AskedTooEarly(BadInput):
    """An instant at which not all packed events were known: compute from the log."""


def packed_vector(
    packed: bytes, *, as_of: datetime | int, catalog: Catalog = CATALOG
) -> npt.NDArray[np.float64]:
    """Compute the features from packed bytes: those that `features.online.buyer_vector` gives for the log.

    Parameters
    ----------
    packed : bytes
        Made by `pack_rows` or `append_rows` with the same catalog.
    as_of : datetime or int
        Timezone-aware, or microseconds since 1970; after the last event.

    Returns
    -------
    float64 (n_features,)

    Raises
    ------
    OtherLayout, AskedTooEarly
    """
    out = np.empty(catalog.n_features)
    when, plan = microseconds(as_of), plan_bytes(catalog)
    code = read_vector(np.frombuffer(packed, np.uint8), plan, LAYOUT_VERSION, when, out)
    if code == OK:
        return out
    if code == OTHER_PLAN:
        raise OtherLayout("the packed history is of another layout or catalog: rebuild it from the log")
    raise AskedTooEarly("events were recorded at or after as_of: compute the features from the log")


def pack_rows(rows: Sequence[Row], *, buyer_id: str, catalog: Catalog = CATALOG) -> bytes:
    """Pack a buyer's whole history.

    Parameters
    ----------
    rows : sequence of Row
        As `features.online.rows_vector` takes them: the buyer's and what linked accounts add.

    Raises
    ------
    BadInput
        When an event id repeats, a kind is unknown or the amounts overflow.
    """
    state = State.empty(catalog.plan, _fingerprint(catalog))
    state.take(own_rows(rows, buyer_id), repeats=False)
    return state.to_bytes(fold_at_least=1)


def append_rows(packed: bytes, rows: Sequence[Row], *, catalog: Catalog = CATALOG) -> bytes:
    """Append a buyer's events; those already there are passed over.

    Parameters
    ----------
    packed : bytes
    rows : sequence of Row
        The buyer's own. What a new link or a linked account's verdict tells comes as rows too:
        `features.rows.peer_row` of `features.links.peer_events`.

    Raises
    ------
    OutOfOrder, OtherLayout
    BadInput
        When a kind is unknown or the amounts, those of the packed events too, overflow.
    """
    state = State.read(packed, catalog.plan, _fingerprint(catalog))
    state.take(in_order(rows), repeats=True)
    return state.to_bytes(fold_at_least=FOLD_AT_LEAST)


@lru_cache(maxsize=8)
def plan_bytes(catalog: Catalog) -> Bytes:
    """Lay the tables that reading needs into one array: numba counts every array that it is given."""
    plan = catalog.plan
    tables = (plan.bounds, plan.sum_value, sum_start(plan), plan.medians, plan.features)
    counts = np.array([_fingerprint(catalog), *map(len, tables)], np.int64)
    return np.frombuffer(b"".join(t.tobytes() for t in (counts, *tables)), np.uint8)


@lru_cache(maxsize=8)
def _fingerprint(catalog: Catalog) -> int:
    return digest("\0".join(str(table.tolist()) for table in catalog.plan))
