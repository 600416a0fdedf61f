"""The first pass over a log: who its buyers are, what links tell, and that no event is there twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrange import Codes, hash_texts
from .errors import BadInput
from .events import SCHEMA
from .history import with_peers
from .layout import Numbering, texts
from .needs import Needs
from .scan import Log, batches

_LINKING = pa.array(["identity_linked", "abuse_confirmed", "abuse_cleared"])
_LINK_COLUMNS = ("kind", "occurred_at", "recorded_at", "link_type", "link_value")


@dataclass(frozen=True)
class Census:
    """What must be known of the whole log before any part of it can be computed.

    Attributes
    ----------
    buyer_ids : pa.Array of string
        In order of first appearance.
    codes : int32 (n_rows,)
        Each row's buyer.
    counts : int64 (n_buyers,)
        Events of each buyer, peer events included.
    peers : pa.Table
        Peer events, empty when the plan looks at none.
    peer_codes : int32 (n_peers,)
    """

    buyer_ids: pa.Array
    codes: Codes
    counts: npt.NDArray[np.int64]
    peers: pa.Table
    peer_codes: Codes


def buyers_of(log: Log) -> pa.Array:
    """Return the ids of all buyers in a Parquet log, sorted."""
    numbering = Numbering()
    for batch in batches(log, ["buyer_id"]):
        numbering.add(batch.column("buyer_id"))
    return numbering.settle()[0].sort()


def take_census(log: Log, *, needs: Needs) -> Census:
    """Read the log once.

    Raises
    ------
    BadInput
        An event id repeats, or a required value is null.
    """
    columns = ["event_id", "buyer_id", *(_LINK_COLUMNS if needs.peers else ())]
    numbering, linking = Numbering(), []
    codes, hashes = np.empty(log.rows, np.int32), np.empty(log.rows, np.uint64)
    at = 0
    for batch in batches(log, columns):
        end = at + len(batch)
        if end > log.rows:
            raise BadInput(f"{log.name}: grew while it was read; run again")
        codes[at:end] = numbering.add(batch.column("buyer_id"))
        hash_texts(*texts(batch.column("event_id").cast(pa.large_string())), hashes[at:end])
        if needs.peers:
            linking.append(_links_of(batch))
        at = end
    _refuse_repeats(log, hashes)
    del hashes
    buyer_ids, meaning = numbering.settle()
    if (codes < 0).any():
        raise BadInput(f"{log.name}: {(codes < 0).sum()} events have an empty buyer_id")
    for start in range(0, len(codes), 1 << 20):
        codes[start : start + (1 << 20)] = meaning[codes[start : start + (1 << 20)]]
    peers = _peers_of(linking)
    peer_codes = pc.index_in(peers["buyer_id"], value_set=buyer_ids).to_numpy().astype(np.int32)
    counts = np.bincount(codes, minlength=len(buyer_ids))
    counts += np.bincount(peer_codes, minlength=len(buyer_ids))
    return Census(buyer_ids, codes, counts, peers, peer_codes)


def _links_of(batch: pa.RecordBatch) -> pa.Table:
    table = pa.Table.from_batches([batch])
    kinds = table["kind"].cast(pa.string())
    found = table.set_column(table.column_names.index("kind"), "kind", kinds).filter(
        pc.is_in(kinds, value_set=_LINKING)
    )
    return found.cast(pa.schema([SCHEMA.field(name) for name in found.column_names]))


def _peers_of(linking: Iterable[pa.Table]) -> pa.Table:
    """Return the events that `features.links` derives, in the contract's columns."""
    parts = [t for t in linking if len(t)]
    if not parts:
        return SCHEMA.empty_table()
    known = pa.concat_tables(parts)
    columns = {
        f.name: known[f.name] if f.name in known.column_names else pa.nulls(len(known), f.type)
        for f in SCHEMA
    }
    return with_peers(pa.table(columns, schema=SCHEMA)).slice(len(known))


def _refuse_repeats(log: Log, hashes: npt.NDArray[np.uint64]) -> None:
    """Find ids that occur twice: equal hashes point at them, the texts themselves decide."""
    hashes.sort()
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if not len(twice):
        return
    suspects: list[str] = []
    for batch in batches(log, ["event_id"]):
        ids = batch.column("event_id")
        own = np.empty(len(ids), np.uint64)
        hash_texts(*texts(ids.cast(pa.large_string())), own)
        suspects += ids.filter(pa.array(np.isin(own, twice))).to_pylist()
    repeats = len(suspects) - len(set(suspects))
    if repeats:
        example = Counter(suspects).most_common(1)[0][0]
        raise BadInput(
            f"{log.name}: {repeats} events repeat an event_id ({example}); "
            "import the log first, it splits repeats off"
        )
