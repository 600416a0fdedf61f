"""The benchmark's log and spine: Zipf-active buyers of about 40 events, nine kinds, integer fen."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.features_columns import COUNTED
from features.events import SCHEMA, TIMESTAMP

EVENTS_PER_BUYER: Final = 40
EVENTS_PER_ASK: Final = 20
ZIPF_EXPONENT: Final = 0.8
KINDS: Final = (*COUNTED, "identity_linked")
WEIGHTS: Final = (0.25, 0.23, 0.2, 0.17, 0.05, 0.04, 0.03, 0.01, 0.02)
START_US: Final = 1_700_000_000_000_000
SPAN_US: Final = 730 * 86_400_000_000
_CHUNK: Final = 1_000_000

Ints = npt.NDArray[np.int64]


def make(folder: Path, *, events: int, seed: int = 7) -> None:
    """Write ``events.parquet`` (by ``recorded_at``) and ``spine.parquet``, unless they are there."""
    if (folder / "spine.parquet").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(seed)
    n_buyers = events // EVENTS_PER_BUYER
    active = np.cumsum(np.arange(1, n_buyers + 1) ** -ZIPF_EXPONENT)
    name = draw.permutation(n_buyers)
    so_far = np.zeros(n_buyers, np.int64)
    with pq.ParquetWriter(folder / "events.parquet", SCHEMA, compression="zstd") as writer:
        for at in range(0, events, _CHUNK):
            size = min(_CHUNK, events - at)
            buyers = name[np.searchsorted(active, draw.random(size) * active[-1])]
            writer.write_table(_chunk(draw, buyers, so_far, at=at, of=events))
    asked = name[np.searchsorted(active, draw.random(events // EVENTS_PER_ASK) * active[-1])]
    when = START_US + draw.integers(0, SPAN_US, len(asked))
    spine = pa.table({"buyer_id": _named("b", asked), "as_of": pa.array(when).cast(TIMESTAMP)})
    pq.write_table(spine, folder / "spine.parquet")


def _chunk(draw: np.random.Generator, buyers: Ints, so_far: Ints, *, at: int, of: int) -> pa.Table:
    size = len(buyers)
    recorded = START_US + np.sort(draw.integers(SPAN_US * at // of, SPAN_US * (at + size) // of, size))
    kinds = draw.choice(len(KINDS), size, p=WEIGHTS)
    kind = pa.DictionaryArray.from_arrays(kinds.astype(np.int8), KINDS).cast(pa.string())
    ordinal = _ordinal(buyers, so_far) // 5
    refund, linked = np.isin(kinds, (4, 5, 7)), kinds == 8
    order = pc.binary_join_element_wise(_named("o", buyers), pa.array(ordinal).cast(pa.string()), "-")
    columns = {
        "event_id": _named("e", at + np.arange(size)),
        "buyer_id": _named("b", buyers),
        "kind": kind,
        "occurred_at": pa.array(recorded - draw.integers(0, 3_600_000_000, size)).cast(TIMESTAMP),
        "recorded_at": pa.array(recorded).cast(TIMESTAMP),
        "order_id": _only(order, ~linked),
        "shop_id": _only(_named("s", draw.integers(0, 20_000, size)), ~linked),
        "category_id": _only(_named("c", draw.integers(0, 200, size)), ~linked),
        "amount_fen": _only(pa.array(draw.integers(100, 60_000, size)), ~linked),
        "stage": _only(_pick(draw, ("before_shipment", "after_shipment"), size), refund),
        "fault": _only(_pick(draw, ("buyer", "shop", "none"), size), refund),
        "actor": _only(_pick(draw, ("buyer", "auto"), size), refund),
        "link_type": _only(_pick(draw, ("device", "address", "payer"), size), linked),
        "link_value": _only(_named("v", draw.integers(0, of // 20, size)), linked),
        "line_count": _only(pa.array(draw.integers(1, 5, size), pa.int32()), ~linked),
    }
    return pa.table({f.name: columns.get(f.name, pa.nulls(size, f.type)) for f in SCHEMA}, schema=SCHEMA)


def _ordinal(buyers: Ints, so_far: Ints) -> Ints:
    """Number each buyer's events from the first on."""
    order = np.argsort(buyers, kind="stable")
    counts = np.bincount(buyers, minlength=len(so_far))
    rank = np.empty(len(buyers), np.int64)
    rank[order] = np.arange(len(buyers)) - np.repeat(np.cumsum(counts) - counts, counts)
    ordinal: Ints = so_far[buyers] + rank
    so_far += counts
    return ordinal


def _named(letter: str, numbers: Ints) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(numbers).cast(pa.string()), 9, "0")
    return pc.binary_join_element_wise(letter, digits, "")


def _pick(draw: np.random.Generator, words: tuple[str, ...], size: int) -> pa.Array:
    return pa.array(words).take(pa.array(draw.integers(0, len(words), size)))


def _only(values: pa.Array, where: npt.NDArray[np.bool_]) -> pa.Array:
    return pc.if_else(pa.array(where), values, pa.scalar(None, values.type))
