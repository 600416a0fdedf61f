"""What is measured of shops at night, from the log of the last months: the very figures of the service.

The service measures in its database (`MEASURE` of its store of shops, where the words are); this is the same
in memory. One slow definition in the tests holds both to the bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import ShopEvidence
from decisions.shanghai import DAY_US

from .columns import Ints, micros_of

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
WINDOW_US: Final = 90 * DAY_US
PROMISED_US: Final = 2 * DAY_US
LEAST_ORDERS: Final = 20
KINDS: Final = (
    *("order_paid", "order_shipped", "order_completed", "refund_requested", "refund_granted"),
    "dispute_opened",
)
PAID, SHIPPED, COMPLETED, ASKED, GRANTED, DISPUTED = range(len(KINDS))
COLUMNS: Final = ("buyer_id", "kind", "occurred_at", "recorded_at", "order_id", "shop_id", "goods_type")
NEVER: Final = np.iinfo(np.int64).max


def of_shops(events: pa.Table) -> pa.Table:
    """Keep the events and columns by which shops are measured."""
    wanted = pc.and_(pc.is_in(events["kind"], value_set=pa.array(KINDS)), pc.is_valid(events["order_id"]))
    return events.select(COLUMNS).filter(wanted)


@dataclass(frozen=True)
class ShopEvents:
    """Events of orders as numbers, in the order in which they became known.

    Attributes
    ----------
    shops : list of str
    order, shop : int64 (n,)
        Numbers of the order, by buyer, and of the shop; -1 without a shop.
    kind : int8 (n,)
        Place in `KINDS`.
    virtual : bool (n,)
    occurred, recorded : int64 (n,)
        Microseconds.
    """

    shops: list[str]
    order: Ints
    shop: Ints
    kind: npt.NDArray[np.int8]
    virtual: Bools
    occurred: Ints
    recorded: Ints

    @classmethod
    def of(cls, events: pa.Table) -> ShopEvents:
        """Number what `of_shops` kept."""
        events = events.take(pc.sort_indices(events, [("recorded_at", "ascending")]))
        buyer, order, shop = (_numbered(events[name]) for name in ("buyer_id", "order_id", "shop_id"))
        return cls(
            shops=cast("list[str]", shop[1]),
            order=buyer[0] * (len(order[1]) + 1) + order[0],
            shop=shop[0],
            kind=pc.index_in(events["kind"], value_set=pa.array(KINDS)).to_numpy().astype(np.int8),
            virtual=pc.fill_null(pc.equal(events["goods_type"], "virtual"), False).to_numpy(),
            occurred=micros_of(events["occurred_at"]),
            recorded=micros_of(events["recorded_at"]),
        )

    def measured(self, now: int) -> dict[str, ShopEvidence]:
        """Measure every shop of which an order was paid in the window before an instant."""
        if not self.shops:
            return {}
        seen = slice(*np.searchsorted(self.recorded, (now - WINDOW_US, now), side="left").tolist())
        kind, occurred = self.kind[seen], self.occurred[seen]
        order = np.unique(self.order[seen], return_inverse=True)[1]
        n = int(order.max(initial=-1)) + 1

        def first(*kinds: int, times: Ints = occurred) -> Ints:
            some, found = np.isin(kind, kinds), np.full(n, NEVER)
            np.minimum.at(found, order[some], times[some])
            return found

        left, told, undone = first(SHIPPED), first(SHIPPED, times=self.recorded[seen]), first(ASKED, GRANTED)
        arrived, disputed = first(COMPLETED) < NEVER, first(DISPUTED) < NEVER
        shop = self.shop[seen]
        paid = np.flatnonzero((kind == PAID) & (shop >= 0))
        row, of, at = _grouped(order[paid], shop[paid], n_shops=len(self.shops))
        due, virtual = np.full(len(of), NEVER), np.zeros(len(of), bool)
        np.minimum.at(due, row, occurred[paid] + PROMISED_US)
        np.logical_or.at(virtual, row, self.virtual[seen][paid])
        parcel = left[of] < NEVER
        overdue = ~parcel & (due < now) & ~virtual & ~arrived[of] & (undone[of] > due)
        overdue &= bool((left < NEVER).any())
        late = (parcel & (left[of] > due)) | overdue
        return self._figures(
            at, late, parcel | overdue, disputed[of], parcel, (told[of] - np.where(parcel, left[of], 0)) / 1e6
        )

    def _figures(
        self, shop: Ints, late: Bools, timed: Bools, disputed: Bools, parcel: Bools, lag_s: Floats
    ) -> dict[str, ShopEvidence]:
        counts = [
            np.bincount(shop[some], minlength=len(self.shops)).tolist()
            for some in (np.ones(len(shop), bool), late, timed, disputed, parcel)
        ]
        shop, lag_s = shop[parcel], lag_s[parcel]
        by_lag = np.lexsort((lag_s, shop))
        lags = np.split(lag_s[by_lag], np.searchsorted(shop[by_lag], np.arange(1, len(self.shops))))
        return {
            name: ShopEvidence(
                late_ship_rate=_share(n_late, n_timed),
                tracking_lag_p90_hours=_p90(own) / 3600 if n_parcels >= LEAST_ORDERS else None,
                dispute_rate=_share(n_disputed, n),
            )
            for name, n, n_late, n_timed, n_disputed, n_parcels, own in zip(
                self.shops, *counts, lags, strict=True
            )
            if n
        }


def _numbered(column: pa.ChunkedArray) -> tuple[Ints, list[str | None]]:
    found = column.combine_chunks().dictionary_encode()
    return found.indices.fill_null(-1).to_numpy().astype(np.int64), found.dictionary.to_pylist()


def _grouped(order: Ints, shop: Ints, *, n_shops: int) -> tuple[Ints, Ints, Ints]:
    """Give each payment's group, and each group's order and shop."""
    keys, row = np.unique(order * max(n_shops, 1) + shop, return_inverse=True)
    return row, keys // max(n_shops, 1), keys % max(n_shops, 1)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole >= LEAST_ORDERS else None


def _p90(ordered: Floats) -> float:
    """Interpolate as PostgreSQL's `percentile_cont` does, to the bit."""
    place = 0.9 * (len(ordered) - 1)
    low, high = ordered[int(np.floor(place))], ordered[int(np.ceil(place))]
    return float(low + (place - np.floor(place)) * (high - low))
