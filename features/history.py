"""Histories packed for the kernel: each buyer's events together, in the order in which they became known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .errors import BadInput
from .events import SCHEMA, TIMESTAMP
from .kernel import EVENT, Events
from .links import Link, PeerEvent, Verdict, peer_events
from .plan import CODED, KIND_CODE, NULL

_NOT_PACKED: Final = ("after_sale_id", "goods_type", "reason", "imputed")
_PACKED: Final = tuple(name for name in SCHEMA.names if name not in _NOT_PACKED)
_OTHER: Final = 63
"""Code of a word outside a vocabulary, such as the outcome of something else than a dispute."""


@dataclass(frozen=True)
class Histories:
    """Many buyers' events.

    Attributes
    ----------
    buyer_ids : pa.Array of string
        Sorted.
    offsets : int64 (n_buyers + 1,)
        Buyer ``i`` has the rows ``[offsets[i], offsets[i + 1])``.
    events : EVENT (n_events,)
    """

    buyer_ids: pa.Array
    offsets: npt.NDArray[np.int64]
    events: Events


def pack(events: pa.Table) -> Histories:
    """Sort, number and encode events, and add what the links tell.

    Parameters
    ----------
    events : pa.Table
        Columns of `features.events.SCHEMA` in any order of rows; ``event_id`` unique.

    Raises
    ------
    BadInput
        When an event id appears twice.
    """
    table = _with_peers(_conform(events))
    table = table.take(_order(table))
    buyers = table["buyer_id"].combine_chunks()
    buyer_ids, buyer_index = _number(buyers)
    offsets = np.searchsorted(buyer_index, np.arange(len(buyer_ids) + 1)).astype(np.int64)
    return Histories(buyer_ids, offsets, _packed(table, buyer_index, offsets))


def _conform(events: pa.Table) -> pa.Table:
    missing = [name for name in _PACKED if name not in events.column_names and name != "line_count"]
    if missing:
        raise BadInput(f"events lack the column{'s' * (len(missing) > 1)} {', '.join(missing)}")
    if "line_count" not in events.column_names:
        events = events.append_column("line_count", pa.nulls(len(events), pa.int32()))
    table = events.select(_PACKED).cast(pa.schema([SCHEMA.field(name) for name in _PACKED]))
    twice = len(table) - pc.count_distinct(table["event_id"]).as_py()
    if twice:
        raise BadInput(f"{twice} events repeat an event_id; import the log first, it splits repeats off")
    return table


def _with_peers(table: pa.Table) -> pa.Table:
    linked = table.filter(pc.equal(table["kind"], "identity_linked"))
    if len(linked) == 0:
        return table
    kinds = pa.array(["abuse_confirmed", "abuse_cleared"])
    judged = table.filter(pc.is_in(table["kind"], value_set=kinds))
    links = map(Link, *_rows(_shared(linked), ("link_type", "link_value", "recorded_at", "buyer_id")))
    verdicts = map(Verdict, *_rows(judged, ("recorded_at", "buyer_id", "kind")))
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


def _order(table: pa.Table) -> pa.Array:
    keys = [(name, "ascending") for name in ("buyer_id", "recorded_at", "occurred_at", "event_id")]
    return pc.sort_indices(table, sort_keys=keys)


def _number(values: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    encoded = values.dictionary_encode()
    return encoded.dictionary, encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _packed(table: pa.Table, buyer_index: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]) -> Events:
    events = np.zeros(len(table), EVENT)
    for name in ("recorded_at", "occurred_at", "amount_fen"):
        events[name] = _integers(table[name], null=NULL)
    events["line_count"] = _integers(table["line_count"], null=-1)
    events["kind"] = _codes(table["kind"].combine_chunks(), KIND_CODE)
    for position, (name, vocabulary) in enumerate(CODED):
        events["codes"][:, position] = _codes(table[name].combine_chunks(), vocabulary)
    for ref, name in (("order_ref", "order_id"), ("party_ref", "shop_id"), ("category_ref", "category_id")):
        events[ref] = _refs(table[name].combine_chunks(), buyer_index, offsets)
    return events


def _integers(column: pa.ChunkedArray, *, null: int) -> npt.NDArray[np.int64]:
    integers = column.cast(pa.int64())
    return np.asarray(pc.fill_null(integers, null).to_numpy(), np.int64)


def _codes(column: pa.Array, vocabulary: Mapping[str | None, int]) -> npt.NDArray[np.int8]:
    encoded = column.dictionary_encode()
    table = [vocabulary.get(word, _OTHER) for word in encoded.dictionary.to_pylist()]
    lookup = np.array([*table, vocabulary.get(None, _OTHER)], np.int8)
    indices = pc.fill_null(encoded.indices, len(table)).to_numpy(zero_copy_only=False)
    return np.asarray(lookup[indices])


def _refs(
    column: pa.Array, buyer_index: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """Number a column's values within each buyer, in order of first appearance; null is -1."""
    words, codes = _number(pc.fill_null(column, ""))
    null = words.index("").as_py()
    known = np.flatnonzero(codes != null)
    pairs = buyer_index[known] * np.int64(len(words)) + codes[known]
    _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    appearance = np.empty(len(first), np.int64)
    appearance[np.argsort(first, kind="stable")] = np.arange(len(first))
    numbers = appearance[inverse]
    seen_before = np.searchsorted(np.sort(first), np.searchsorted(known, offsets[:-1]))
    refs = np.full(len(codes), -1, np.int32)
    refs[known] = numbers - seen_before[buyer_index[known]]
    return refs
