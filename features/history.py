"""Histories packed for the kernel: each buyer's events together, in the order in which they became known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .errors import BadInput
from .events import SCHEMA, TIMESTAMP
from .layout import Layout, Numbering, Overflow
from .links import Link, PeerEvent, Verdict, peer_events
from .matching import Events
from .needs import EVERYTHING, Needs
from .rows import instants

_NOT_PACKED: Final = ("after_sale_id", "goods_type", "reason", "imputed")
_PACKED: Final = tuple(name for name in SCHEMA.names if name not in _NOT_PACKED)


@dataclass(frozen=True)
class Histories:
    """Many buyers' events.

    Attributes
    ----------
    buyer_ids : pa.Array of string
        In order of first appearance in the log.
    offsets : int64 (n_buyers + 1,)
        Buyer ``i`` has the rows ``[offsets[i], offsets[i + 1])``.
    events : EVENT (n_events,)
    """

    buyer_ids: pa.Array
    offsets: npt.NDArray[np.int64]
    events: Events


def pack(events: pa.Table, *, needs: Needs = EVERYTHING) -> Histories:
    """Sort, number and encode events, and add what the links tell.

    Parameters
    ----------
    events : pa.Table
        Columns of `features.events.SCHEMA` in any order of rows; ``event_id`` unique.
    needs : Needs
        What will be read off the histories; columns that are not needed are left out of them.

    Raises
    ------
    BadInput
        When a column is missing, an event id appears twice, a buyer or a kind is null, a kind is not the
        contract's, or a buyer's amounts add up to 2^63 fen or more.
    """
    table = _conform(events)
    return packed(with_peers(table) if needs.peers else table, needs=needs)


def packed(table: pa.Table, *, needs: Needs) -> Histories:
    """Pack a log whose peer events are among its rows; columns and errors as in `pack`."""
    numbering = Numbering()
    codes = numbering.add(table["buyer_id"])
    buyer_ids, _ = numbering.settle()
    if len(codes) and codes.min() < 0:
        raise BadInput(f"{(codes < 0).sum()} events have no buyer_id")
    layout = Layout(np.bincount(codes, minlength=len(buyer_ids)), needs=needs)
    layout.add({name: table[name] for name in table.column_names}, codes)
    try:
        return Histories(buyer_ids, *layout.finish())
    except Overflow as found:
        raise found.named(buyer_ids[found.buyer].as_py()) from None


def _conform(events: pa.Table) -> pa.Table:
    missing = [name for name in _PACKED if name not in events.column_names and name != "line_count"]
    if missing:
        raise BadInput(f"events lack the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    if "line_count" not in events.column_names:
        events = events.append_column("line_count", pa.nulls(len(events), pa.int32()))
    for name in ("occurred_at", "recorded_at"):
        at = events.column_names.index(name)
        events = events.set_column(at, name, instants(events[name], name))
    try:
        table = events.select(_PACKED).cast(pa.schema([SCHEMA.field(name) for name in _PACKED]))
    except (pa.ArrowInvalid, ValueError) as error:
        raise BadInput(f"events are not of the contract's types ({str(error).splitlines()[0]})") from None
    twice = len(table) - pc.count_distinct(table["event_id"]).as_py()
    if twice:
        raise BadInput(f"{twice} events repeat an event_id; import the log first, it splits repeats off")
    return table


def with_peers(table: pa.Table) -> pa.Table:
    """Append the events that links bring in from other accounts, see `features.links`."""
    named = pc.and_(pc.is_valid(table["link_type"]), pc.is_valid(table["link_value"]))
    linked = table.filter(pc.and_(pc.equal(table["kind"], "identity_linked"), named))
    if len(linked) == 0:
        return table
    kinds = pa.array(["abuse_confirmed", "abuse_cleared"])
    judged = table.filter(pc.is_in(table["kind"], value_set=kinds))
    links = map(Link, *_rows(_shared(linked), ("link_type", "link_value", "recorded_at", "buyer_id")))
    verdicts = map(Verdict, *_rows(judged, Verdict._fields))
    derived = list(peer_events(links, verdicts))
    return pa.concat_tables([table, _peer_table(derived, table.schema)]) if derived else table


def _shared(linked: pa.Table) -> pa.Table:
    """Keep only links that more than one account has; most accounts are alone on theirs."""
    names = pc.binary_join_element_wise(linked["link_type"], linked["link_value"], "\0")
    links, link = _number(names.combine_chunks())
    buyers, buyer = _number(linked["buyer_id"].combine_chunks())
    pairs = np.unique(link * len(buyers) + buyer)
    accounts = np.bincount(pairs // len(buyers), minlength=len(links))
    return linked.filter(pa.array(accounts[link] > 1))


def _rows(table: pa.Table, names: Sequence[str]) -> list[list[Any]]:
    columns = [table[name] for name in names]
    return [(c.cast(pa.int64()) if c.type == TIMESTAMP else c).to_pylist() for c in columns]


def _peer_table(derived: list[PeerEvent], schema: pa.Schema) -> pa.Table:
    """Lay peer events into the columns of the log; the peer stands where a shop would."""
    times = pa.array([e.recorded_at for e in derived], pa.int64()).cast(TIMESTAMP)
    given = {
        "event_id": pa.array([f"{e.kind} {e.link_type} {e.peer_id}" for e in derived]),
        "buyer_id": pa.array([e.buyer_id for e in derived]),
        "kind": pa.array([e.kind for e in derived]),
        "occurred_at": times,
        "recorded_at": times,
        "shop_id": pa.array([e.peer_id for e in derived]),
        "link_type": pa.array([e.link_type for e in derived], pa.string()),
    }
    nothing = {f.name: pa.nulls(len(derived), f.type) for f in schema if f.name not in given}
    return pa.table({f.name: {**given, **nothing}[f.name] for f in schema}, schema=schema)


def _number(values: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    encoded = values.dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
