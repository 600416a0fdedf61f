"""What the log knew of each request's order when it was asked for, for all requests at once.

The definition is `models.evidence.order_evidence`, and that the log may have the order as another buyer's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import OrderEvidence

from .columns import Ints, micros_of, places_of
from .requests import IN_TIME

SCHEMA: Final = pa.schema(
    [
        ("known_shipped", pa.bool_()),
        ("known_refunded_fen", pa.int64()),
        ("known_paid_fen", pa.int64()),
        ("of_another_buyer", pa.bool_()),
    ]
)


def order_evidences(requests: pa.Table, events: pa.Table) -> pa.Table:
    """Read what was known of every request's order before it.

    Parameters
    ----------
    requests : pa.Table
        `backtest.requests.SCHEMA`.
    events : pa.Table
        At least all events of their orders.

    Returns
    -------
    pa.Table
        `SCHEMA`, a row a request.
    """
    orders = requests["order_id"].unique()
    events = events.filter(pc.is_in(events["order_id"], value_set=orders)).sort_by(IN_TIME)
    order_of_event = places_of(events["order_id"], orders)
    order_of_request = places_of(requests["order_id"], orders)
    request, event = _pairs(order_of_request, order_of_event, n_orders=len(orders))
    known = micros_of(events["recorded_at"])[event] < micros_of(requests["requested_at"])[request]
    request, event = request[known], event[known]
    n = len(requests)
    own = _same_buyer(requests, events, request, event)
    kinds = {k: pc.equal(events["kind"], k).to_numpy()[event] & own for k in ("order_shipped", "order_paid")}
    granted = pc.equal(events["kind"], "refund_granted").to_numpy()[event] & own
    fen = pc.fill_null(events["amount_fen"], 0).to_numpy()
    refunded = np.zeros(n, np.int64)
    np.add.at(refunded, request[granted], fen[event[granted]])
    return pa.table(
        {
            "known_shipped": _any(request[kinds["order_shipped"]], n),
            "known_refunded_fen": refunded,
            "known_paid_fen": _first(request, event, kinds["order_paid"], events["amount_fen"], n),
            "of_another_buyer": _any(request[~own], n),
        },
        schema=SCHEMA,
    )


def _pairs(of_request: Ints, of_event: Ints, *, n_orders: int) -> tuple[Ints, Ints]:
    """Give all pairs (request, event) of one order; the events of a request in their order."""
    by_order = np.argsort(of_event, kind="stable")
    start = np.searchsorted(of_event[by_order], np.arange(n_orders + 1))
    counts = (start[1:] - start[:-1])[of_request]
    request = np.repeat(np.arange(len(of_request)), counts)
    within = np.arange(len(request)) - np.repeat(np.cumsum(counts) - counts, counts)
    return request, by_order[np.repeat(start[:-1][of_request], counts) + within]


def _same_buyer(requests: pa.Table, events: pa.Table, request: Ints, event: Ints) -> npt.NDArray[np.bool_]:
    buyers = requests["buyer_id"].unique()
    asking = pc.index_in(requests["buyer_id"], value_set=buyers).to_numpy()
    doing = pc.fill_null(pc.index_in(events["buyer_id"], value_set=buyers), -1).to_numpy()
    return np.asarray(asking[request] == doing[event])


def _any(rows: Ints, n: int) -> npt.NDArray[np.bool_]:
    found = np.zeros(n, bool)
    found[rows] = True
    return found


def _first(
    request: Ints, event: Ints, wanted: npt.NDArray[np.bool_], values: pa.ChunkedArray, n: int
) -> pa.Array:
    """Take the value of each request's first wanted event; null without one, or if it has none."""
    rows, first = np.unique(request[wanted], return_index=True)
    at = np.zeros(n, np.int64)
    at[rows] = event[wanted][first]
    return values.combine_chunks().take(pa.array(at, mask=~_any(rows, n)))


def as_evidences(table: pa.Table) -> Iterator[OrderEvidence]:
    """Make the evidence of the rows of a table (`SCHEMA`)."""
    columns = [table[name].to_pylist() for name in SCHEMA.names]
    yield from map(OrderEvidence, *columns)
