"""Who cancels again: the outcome of a request in a log that knows of no abuse."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.scan import Log, batches
from training.labels import CancellationLabel

from .columns import micros_of
from .history import History
from .instants import micros
from .taken import DAY_US

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
TOTALS: Final = ("told", "told_auto", "told_review", "not_again", "asked_too_late", "not_ordered")
RATIOS: Final = {
    "again_share": ("again", "told"),
    "again_of_auto": ("again_auto", "told_auto"),
    "again_of_review": ("again_review", "told_review"),
    "again_of_small": ("again_small", "told_small"),
    "not_again_served": ("not_again_auto", "not_again"),
    "again_served": ("again_auto", "again"),
}
"""Part and whole, of requests before shipment whose outcome is known."""
KINDS: Final = ("order_paid", "refund_granted")
COLUMNS: Final = ("buyer_id", "order_id", "kind", "occurred_at", "line_count")


@dataclass(frozen=True)
class Again:
    """Request by request, aligned with `History.requests`.

    Attributes
    ----------
    complete : bool
        The log goes on until the outcome is certain.
    known : bool
        It is, and the buyer ordered again.
    again : bool
        One of those orders lost a line.
    lines : float64
        Items of the request's own order; not a number where the log does not say it.
    """

    complete: Bools
    known: Bools
    again: Bools
    lines: Floats

    def counted(self, before: Bools, auto: Bools) -> Iterator[tuple[str, Bools]]:
        """Name the requests that figures count, under a policy that refunds `auto` at once."""
        told = before & self.known
        yield "told", told
        yield "told_auto", told & auto
        yield "told_review", told & ~auto
        yield "again", told & self.again
        yield "again_auto", told & self.again & auto
        yield "again_review", told & self.again & ~auto
        small = self._smallest(told, n=int((told & auto).sum()))
        yield "told_small", small
        yield "again_small", small & self.again
        yield "not_again", told & ~self.again
        yield "not_again_auto", told & ~self.again & auto
        yield "asked_too_late", before & ~self.complete
        yield "not_ordered", before & self.complete & ~self.known

    def _smallest(self, told: Bools, *, n: int) -> Bools:
        """Choose as many by the size of the order alone: more items are more chances to cancel one."""
        found = np.zeros(len(told), bool)
        rows = np.flatnonzero(told & ~np.isnan(self.lines))
        found[rows[np.argsort(self.lines[rows], kind="stable")[:n]]] = True
        return found


def again_of(log: Log, history: History, *, label: CancellationLabel | None = None) -> Again:
    """Ask of every request what the label asks of a snapshot: does a later order lose a line."""
    asked = label or CancellationLabel()
    rows = pd.DataFrame(
        {
            "buyer": history.requests["buyer_id"].to_numpy(),
            "asked": micros_of(history.requests["requested_at"]),
        }
    )
    orders = _orders(log, cancel_us=asked.cancel_days * DAY_US)
    both = rows.reset_index(names="row").merge(orders, on="buyer")
    both = both[both["paid"].sub(both["asked"]).between(0, asked.window_days * DAY_US, inclusive="left")]
    lost = both.groupby("row")["lost"].any().reindex(rows.index)
    complete = (rows["asked"] + asked.maturity.days * DAY_US <= micros(history.last)).to_numpy()
    ordered = lost.notna().to_numpy()
    lines = orders.drop_duplicates("order").set_index("order")["lines"]
    return Again(
        complete,
        complete & ordered,
        complete & lost.eq(True).to_numpy(),
        lines.reindex(history.requests["order_id"].to_numpy()).to_numpy(np.float64),
    )


def _orders(log: Log, *, cancel_us: int) -> pd.DataFrame:
    """Give every paid order: buyer, when paid, how many items, whether it lost one in time."""
    kept = []
    for batch in batches(log, list(COLUMNS)):
        table = pa.Table.from_batches([batch]).select(COLUMNS)
        kept.append(table.filter(pc.is_in(table["kind"], value_set=pa.array(KINDS))))
    events: Any = pa.concat_tables(kept)
    frame = pd.DataFrame(
        {
            "buyer": events["buyer_id"].to_numpy(),
            "order": events["order_id"].to_numpy(),
            "paid": micros_of(events["occurred_at"]),
            "kind": events["kind"].to_numpy(),
            "lines": events["line_count"].cast(pa.float64()).to_numpy(),
        }
    )
    paid = frame[frame["kind"] == "order_paid"].drop(columns="kind")
    granted = frame.loc[frame["kind"] == "refund_granted", ["order", "paid"]]
    lags = paid.merge(granted, on="order", suffixes=("", "_back"))
    in_time = lags[(lags["paid_back"] - lags["paid"]).between(0, cancel_us, inclusive="left")]
    return paid.assign(lost=paid["order"].isin(in_time["order"]))
