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
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from .catalog import CATALOG
from .compile import Catalog
from .errors import BadInput
from .fold import (
    HEAD,
    ID_LENGTH,
    LAST_OCCURRED,
    LAST_RECORDED,
    LAYOUT,
    N_CATEGORIES,
    N_LASTING,
    N_ORDERS,
    N_PARTIES,
    N_RECENT,
    OK,
    ORDER,
    OTHER_PLAN,
    PLAN,
    PREVIOUS,
    RECENT,
    Bytes,
    Ints,
    Records,
    absorb,
    fold,
    read_vector,
)
from .plan import ENTITY_CODE, NULL, PEER_KINDS, Plan
from .rows import NAMED, Placed, Row, encode, in_order, microseconds, own_rows

LAYOUT_VERSION: Final = 1
FOLD_AT_LEAST: Final = 64
"""Fewer old events than this, or than an eighth of the recent, wait for more before they are folded."""


class OtherLayout(BadInput):
    """Bytes of another layout or catalog: rebuild them from the log."""


class OutOfOrder(BadInput):
    """An event recorded before the last one of the packed history: rebuild it from the log."""


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
    state = _State.empty(catalog.plan, _fingerprint(catalog))
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
    """
    state = _State.read(packed, catalog.plan, _fingerprint(catalog))
    state.take(in_order(rows), repeats=True)
    return state.to_bytes(fold_at_least=FOLD_AT_LEAST)


@lru_cache(maxsize=8)
def plan_bytes(catalog: Catalog) -> Bytes:
    """Lay the tables that reading needs into one array: numba counts every array that it is given."""
    plan = catalog.plan
    tables = (plan.bounds, plan.sum_value, plan.selectors, plan.medians, plan.features)
    counts = np.array([_fingerprint(catalog), *map(len, tables)], np.int64)
    return np.frombuffer(b"".join(t.tobytes() for t in (counts, *tables)), np.uint8)


@lru_cache(maxsize=8)
def _fingerprint(catalog: Catalog) -> int:
    return digest("\0".join(str(table.tolist()) for table in catalog.plan))


def digest(name: str) -> int:
    """Name a text by 64 bits; 0 stands for none."""
    found = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)
    return found or 1


@dataclass
class _State:
    """The bytes as arrays, with room behind them."""

    plan: Plan
    head: Ints
    folded: Ints
    known: Ints
    lasting: Ints
    recent: Records
    orders: Records
    tables: tuple[Ints, Ints, Ints]  # digests of parties, categories, orders
    latest: tuple[Ints, Ints, Ints, Ints]  # of parties, categories, orders, the buyer
    last_id: str

    @classmethod
    def empty(cls, plan: Plan, fingerprint: int) -> Self:
        head = np.zeros(HEAD, np.int64)
        head[[LAYOUT, PLAN, LAST_RECORDED, LAST_OCCURRED]] = (LAYOUT_VERSION, fingerprint, NULL, NULL)
        head[PREVIOUS] = -1
        none = np.empty(0, np.int64)
        widths = _widths(plan)
        return cls(
            plan=plan,
            head=head,
            folded=np.zeros(len(plan.selectors) + len(plan.sum_value), np.int64),
            known=np.full((len(plan.selectors), 2), NULL),
            lasting=np.empty((0, 2), np.int64),
            recent=np.empty(0, RECENT),
            orders=np.empty(0, ORDER),
            tables=(none, none, none),
            latest=(
                np.empty((0, widths[0]), np.int64),
                np.empty((0, widths[1]), np.int64),
                np.empty((0, widths[2]), np.int64),
                np.full((1, widths[3]), -1, np.int64),
            ),
            last_id="",
        )

    @classmethod
    def read(cls, packed: bytes, plan: Plan, fingerprint: int) -> Self:
        head = np.frombuffer(packed, np.int64, HEAD).copy()
        if (head[LAYOUT], head[PLAN]) != (LAYOUT_VERSION, fingerprint):
            raise OtherLayout("the packed history is of another layout or catalog: rebuild it from the log")
        widths, at = _widths(plan), 8 * HEAD

        def words(count: int, width: int = 1) -> Ints:
            nonlocal at
            found = np.frombuffer(packed, np.int64, count * width, at)
            at += found.nbytes
            return found

        n_recent, n_orders = int(head[N_RECENT]), int(head[N_ORDERS])
        n_parties, n_categories = int(head[N_PARTIES]), int(head[N_CATEGORIES])
        return cls(
            plan=plan,
            head=head,
            folded=words(len(plan.selectors) + len(plan.sum_value)).copy(),
            known=words(len(plan.selectors), 2).reshape(-1, 2).copy(),
            lasting=words(int(head[N_LASTING]), 2).reshape(-1, 2),
            recent=words(n_recent, 6).view(RECENT),
            orders=words(n_orders, 3).view(ORDER),
            tables=(words(n_parties), words(n_categories), words(n_orders)),
            latest=(
                words(n_parties, widths[0]).reshape(n_parties, widths[0]),
                words(n_categories, widths[1]).reshape(n_categories, widths[1]),
                words(n_orders, widths[2]).reshape(n_orders, widths[2]),
                words(1, widths[3]).reshape(1, widths[3]).copy(),
            ),
            last_id=packed[at : at + int(head[ID_LENGTH])].decode(),
        )

    def take(self, placed: Sequence[Placed], *, repeats: bool) -> None:
        """Take sorted events in; with ``repeats`` those already there are passed over."""
        names = _names(placed)
        if repeats:
            keep = self._new(placed, names)
            placed, names = [placed[i] for i in keep], names[keep]
        if not placed:
            return
        self._make_room(len(placed))
        absorb(
            encode(placed).events,
            names,
            self.head,
            self.folded,
            self.known,
            self.recent,
            self.orders,
            self.tables,
            self.latest,
            _columns(self.plan),
            self.plan.selectors,
            self.plan.kind_start,
            self.plan.kind_selector,
        )
        self.last_id = placed[-1].event_id

    def to_bytes(self, *, fold_at_least: int) -> bytes:
        """Fold what is old and write."""
        self._fold(fold_at_least)
        last_id = self.last_id.encode()
        self.head[ID_LENGTH] = len(last_id)
        n_orders = self.head[N_ORDERS]
        counts = (self.head[N_PARTIES], self.head[N_CATEGORIES], n_orders, 1)
        parts = (
            self.head,
            self.folded,
            self.known,
            self.lasting[: self.head[N_LASTING]],
            self.recent[: self.head[N_RECENT]],
            self.orders[:n_orders],
            *(table[:n] for table, n in zip(self.tables, counts, strict=False)),
            *(table[:n] for table, n in zip(self.latest, counts, strict=True)),
        )
        return b"".join((*(part.tobytes() for part in parts), last_id))

    def _new(self, placed: Sequence[Placed], names: Ints) -> list[int]:
        """Pick the positions of events that are not there yet; the first of them must come after the last."""
        recent = self.recent["event"]
        there = set(recent[np.isin(recent, names[:, 0])].tolist())
        keep = []
        last = (int(self.head[LAST_RECORDED]), int(self.head[LAST_OCCURRED]), self.last_id)
        for i, (event, name) in enumerate(zip(placed, names[:, 0].tolist(), strict=True)):
            if name in there:
                continue
            if event[:3] < last:
                raise OutOfOrder(f"event {event.event_id} was recorded before the last: rebuild from the log")
            there.add(name)
            keep.append(i)
        return keep

    def _make_room(self, more: int) -> None:
        self.recent = _longer(self.recent, more)
        self.orders = _longer(self.orders, more)
        parties, categories, orders = (_longer(table, more) for table in self.tables)
        self.tables = (parties, categories, orders)
        of_party, of_category, of_order = (_longer(table, more) for table in self.latest[:3])
        self.latest = (of_party, of_category, of_order, self.latest[3])

    def _fold(self, at_least: int) -> None:
        plan, recent = self.plan, self.recent[: self.head[N_RECENT]]
        longest = int(plan.bounds[-1]) if len(plan.bounds) else 0
        if not len(recent):
            return
        until = int(self.head[LAST_RECORDED]) - longest
        old = int(np.searchsorted(recent["recorded_at"], until, side="right"))
        if old < max(at_least, len(recent) // 8 if at_least > 1 else 0):
            return
        self.lasting = _longer(self.lasting, old * len(plan.medians))
        fold(recent, until, self.folded, self.lasting, self.head,
             plan.bounds, plan.selectors, plan.sum_value, plan.medians)  # fmt: skip
        self.recent = recent[old:]


def _names(placed: Sequence[Placed]) -> Ints:
    """Return the digests of each event's id, order, party and category."""
    once: dict[str | None, int] = {None: 0, "": 0}
    for event in placed:
        for column in NAMED:
            if (name := event.row[column]) not in once:
                once[name] = digest(name)
    found = [(_event_digest(p), *(once[p.row[column]] for column in NAMED)) for p in placed]
    return np.array(found, np.int64).reshape(-1, 4)


def _event_digest(event: Placed) -> int:
    """Name the event; what the links tell has no id of its own and may be told again later."""
    again = f"\0{event.recorded_at}" if event.row["kind"] in PEER_KINDS else ""
    return digest(event.event_id + again)


@lru_cache(maxsize=8)
def _widths_of(entities: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(entities.count(code) for code in sorted(ENTITY_CODE.values()))


def _widths(plan: Plan) -> tuple[int, ...]:
    """Count the distinct selectors of each entity: party, category, order, buyer."""
    return _widths_of(tuple(plan.selectors["entity"].tolist()))


def _columns(plan: Plan) -> Ints:
    """Give each distinct selector its column among those of its entity."""
    entities = plan.selectors["entity"].tolist()
    return np.array([entities[:s].count(entity) for s, entity in enumerate(entities)], np.int64)


def _longer(table: npt.NDArray, more: int) -> npt.NDArray:  # type: ignore[type-arg]
    return np.concatenate([table, np.empty((more, *table.shape[1:]), table.dtype)])
