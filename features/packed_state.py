"""What the bytes of a packed history hold, as arrays: read them, take events in, fold, write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from .errors import BadInput
from .fold import (
    AMOUNT_FEN,
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
    PLAN,
    PREVIOUS,
    RECENT,
    Ints,
    Records,
    absorb,
    fold,
)
from .kernel import ORDER
from .plan import ENTITY_CODE, NULL, PEER_KINDS, Plan
from .rows import NAMED, Placed, encode

LAYOUT_VERSION: Final = 2


class OtherLayout(BadInput):
    """Bytes of another layout or catalog: rebuild them from the log."""


class OutOfOrder(BadInput):
    """An event recorded before the last one of the packed history: rebuild it from the log."""


@dataclass
class State:
    """The bytes as arrays, with room behind them; not kept, made for one call."""

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
        """Make the history without events."""
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
        """Read the bytes; raise OtherLayout if they are not of this layout and plan."""
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
        encoded = encode(placed, amount_fen_before=int(self.head[AMOUNT_FEN]))
        self.head[AMOUNT_FEN] = encoded.amount_fen
        self._make_room(len(placed))
        absorb(
            encoded.events,
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
            if event[:3] <= last:
                raise OutOfOrder(f"event {event.event_id} is not newer than the last: rebuild from the log")
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
             plan.bounds, sum_start(plan), plan.sum_value, plan.medians)  # fmt: skip
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


def sum_start(plan: Plan) -> Ints:
    """Give the sums of selector ``s`` as ``[sum_start[s], sum_start[s + 1])``."""
    return np.append(plan.selectors["sum_start"], len(plan.sum_value))


def digest(name: str) -> int:
    """Name a text by 64 bits; 0 stands for none."""
    found = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)
    return found or 1
