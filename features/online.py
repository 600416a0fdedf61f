"""The features of one buyer now: the same records and the same kernel as in batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .batch import evaluate_spine
from .catalog import CATALOG
from .compile import Catalog
from .history import pack
from .kernel import evaluate
from .rows import Row, encode, microseconds, own_rows, rows_of

MANY_ROWS: Final = 300
"""From here on the columns of a table are quicker than its rows: measured, they meet between 200 and 400."""


def buyer_vector(
    events: pa.Table, *, buyer_id: str, as_of: datetime, catalog: Catalog = CATALOG
) -> npt.NDArray[np.float64]:
    """Compute one buyer's features at one instant.

    Parameters
    ----------
    events : pa.Table
        The buyer's own events and, of accounts that share a link, their ``identity_linked``,
        ``abuse_confirmed`` and ``abuse_cleared`` events. Later ones than ``as_of`` are not seen.
    buyer_id : str
    as_of : datetime
        Timezone-aware.

    Returns
    -------
    float64 (n_features,)
        In the catalog's order; NaN where a feature is not defined.

    Raises
    ------
    BadInput
        When a column is missing or an event id appears twice.
    """
    if len(events) < MANY_ROWS:
        return rows_vector(rows_of(events), buyer_id=buyer_id, as_of=as_of, catalog=catalog)
    when = np.array([microseconds(as_of)])
    buyers = pa.chunked_array([pa.array([buyer_id], pa.string())])
    return evaluate_spine(pack(events), buyers, when, catalog=catalog).reshape(catalog.n_features)


def rows_vector(
    rows: Sequence[Row], *, buyer_id: str, as_of: datetime, catalog: Catalog = CATALOG
) -> npt.NDArray[np.float64]:
    """Compute one buyer's features from rows; the same bytes as `buyer_vector`, without a table.

    Parameters
    ----------
    rows : sequence of mapping
        The buyer's own events with the columns of `features.events.SCHEMA`, in any order, and the linked
        accounts' with at least ``event_id``, ``buyer_id``, ``kind``, ``recorded_at``, ``link_type``,
        ``link_value`` and, of verdicts, ``occurred_at``. Times are aware datetimes or in microseconds since
        1970.
    buyer_id : str
    as_of : datetime
        Timezone-aware.
    """
    events = encode(own_rows(rows, buyer_id)).events
    out = np.empty(catalog.n_features)
    evaluate(
        events,
        np.array([0, len(events)]),
        np.array([0, 1]),
        np.array([microseconds(as_of)]),
        place=np.zeros(1, np.int64),
        plan=catalog.plan,
        out=out.reshape(1, -1),
    )
    return out
