"""From Arrow columns to packed events: strings become numbers exactly, rows go to their buyers."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrange import Bytes, Codes, arrange, scatter
from .errors import BadInput
from .matching import EVENT, Events, Ints
from .needs import Needs
from .plan import ALL_KINDS, CODED, KIND_CODE, NULL

THREADS: Final = 2
_WORTH_A_THREAD: Final = 100_000
_OTHER: Final = 63
"""Code of a word outside a vocabulary, such as the outcome of something else than a dispute."""
_REFS: Final = ("order_id", "shop_id", "category_id")

Column: TypeAlias = Any
"""A pyarrow Array or ChunkedArray."""


class Numbering:
    """Numbers words exactly although they come in batches: nothing is hashed away."""

    def __init__(self) -> None:
        self._dictionaries: list[pa.Array] = []
        self._size = 0

    def add(self, column: Column) -> Codes:
        """Return each row's index into the table that `settle` gives, -1 for null and the empty text."""
        encoded = _encoded(column)
        words = encoded.dictionary.cast(pa.string())
        table = np.arange(self._size, self._size + len(words) + 1, dtype=np.int32)
        table[-1] = -1
        empty = pc.index(words, "").as_py()
        if empty >= 0:
            table[empty] = -1
        self._dictionaries.append(words)
        self._size += len(words)
        indices = encoded.indices
        if indices.null_count:
            indices = pc.fill_null(indices.cast(pa.int32()), len(words))
        codes: Codes = table[indices.to_numpy(zero_copy_only=False)]
        return codes

    def settle(self) -> tuple[pa.Array, Codes]:
        """Return the distinct words in order of first appearance, and which of them each index means."""
        if not self._size:
            return pa.array([], pa.string()), np.empty(0, np.int32)
        if len(self._dictionaries) == 1:
            return self._dictionaries[0], np.arange(self._size, dtype=np.int32)
        encoded = pa.chunked_array(self._dictionaries).dictionary_encode()
        self._dictionaries = []
        meaning = np.concatenate([chunk.indices.to_numpy() for chunk in encoded.chunks])
        return encoded.chunk(encoded.num_chunks - 1).dictionary, meaning.astype(np.int32, copy=False)


class Layout:
    """Collects the events of known buyers and gives their histories.

    Parameters
    ----------
    counts : int64 (n_buyers,)
        How many events each buyer will have.
    needs : Needs
    """

    def __init__(self, counts: Ints, *, needs: Needs) -> None:
        self.offsets: Ints = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])
        size = int(self.offsets[-1])
        self.events: Events = np.zeros(size, EVENT)
        self._needs = needs
        self._next_at = self.offsets[:-1].copy()
        self._row_of = np.empty(size if needs.ties else 0, np.int32)
        self._rows = 0
        self._ids: list[pa.Array] = []
        self._words = {name: Numbering() for name in _REFS}

    def add(self, columns: Mapping[str, Column], buyers: Codes) -> None:
        """Put rows where their buyers' events go."""
        if self._rows + len(buyers) > len(self.events):
            raise BadInput("the event log grew while it was read; run again")
        wanted = self._needs.columns
        none32, none64 = frozen(np.empty(0, np.int32)), frozen(np.empty(0, np.int64))
        refs = [frozen(self._words[name].add(columns[name])) if name in wanted else none32 for name in _REFS]
        scatter(
            self.events,
            self._next_at,
            self._row_of,
            self._rows,
            frozen(buyers),
            integers(columns["recorded_at"], null=NULL),
            integers(columns["occurred_at"], null=NULL) if self._needs.ties else none64,
            integers(columns["amount_fen"], null=NULL) if "amount_fen" in wanted else none64,
            frozen(integers(columns["line_count"], null=-1).astype(np.int32))
            if "line_count" in wanted
            else none32,
            frozen(kind_codes(columns["kind"])),
            frozen(_code_rows(columns, wanted)),
            *refs,
        )
        if self._needs.ties:
            self._ids.append(_one_chunk(columns["event_id"]).cast(pa.large_string()))
        self._rows += len(buyers)

    def finish(self) -> tuple[Ints, Events]:
        """Order every history and return (offsets, events)."""
        if self._rows != len(self.events):
            raise BadInput("the event log shrank while it was read; run again")
        ends, data = (
            texts(pa.concat_arrays(self._ids)) if self._ids else (frozen(np.zeros(1, np.int64)), _NO_BYTES)
        )
        self._ids = []
        words = [self._words[name].settle()[1] for name in _REFS]

        def work(part: slice) -> int:
            offsets = self.offsets[part.start : part.stop + 1]
            found = arrange(
                self.events,
                offsets,
                row_of=self._row_of,
                id_ends=ends,
                ids=data,
                words=(words[0], words[1], words[2]),
            )
            return found if found < 0 else found + part.start

        overflow = [b for b in in_threads(work, self.offsets) if b >= 0]
        if overflow:
            raise Overflow(overflow[0])
        return self.offsets, self.events


class Overflow(Exception):  # noqa: N818 - says what happened
    """The amounts of the buyer with this number add up to more than 64 bits hold."""

    def __init__(self, buyer: int) -> None:
        super().__init__(buyer)
        self.buyer = buyer

    def named(self, buyer_id: str) -> BadInput:
        """Say it to people."""
        return BadInput(
            f"the amounts of buyer {buyer_id} add up to 2^63 fen or more; correct amount_fen in the log"
        )


def frozen(values: Any) -> Any:
    """Return a view that cannot be written to: compiled code is made once, not also for writable arrays."""
    view = values.view()
    view.flags.writeable = False
    return view


_NO_BYTES: Final[Bytes] = frozen(np.empty(0, np.uint8))


def in_threads(work: Any, offsets: Ints) -> list[Any]:
    """Run ``work(slice of buyers)`` over ranges of about equal numbers of events; order is kept."""
    size = int(offsets[-1] - offsets[0]) if len(offsets) else 0
    if size < _WORTH_A_THREAD:
        return [work(slice(0, len(offsets) - 1))]
    marks = offsets[0] + size * np.arange(1, 2 * THREADS) // (2 * THREADS)
    cuts = [0, *np.searchsorted(offsets, marks).tolist(), len(offsets) - 1]
    parts = [slice(a, b) for a, b in pairwise(cuts) if a < b]
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, parts))


def texts(column: pa.Array) -> tuple[Ints, Bytes]:
    """Return where each text of a large_string array ends, after a leading start, and the bytes."""
    _, ends, data = column.buffers()
    if ends is None or data is None:
        return frozen(np.zeros(len(column) + 1, np.int64)), _NO_BYTES
    where = np.frombuffer(ends, np.int64, len(column) + 1, column.offset * 8)
    return frozen(where), frozen(np.frombuffer(data, np.uint8))


def integers(column: Column, *, null: int) -> Ints:
    """Return whole numbers or microseconds, with nulls filled in."""
    whole = _one_chunk(column).cast(pa.int64())
    whole = pc.fill_null(whole, null) if whole.null_count else whole
    integers: Ints = frozen(np.asarray(whole, np.int64))
    return integers


def kind_codes(column: Column) -> npt.NDArray[np.int8]:
    """Return the kernel's code of each kind.

    Raises
    ------
    BadInput
        On a kind that the contract does not know, or null.
    """
    codes = _coded(column, KIND_CODE)
    if (codes == _OTHER).any():
        strange = set(pc.unique(column).to_pylist()) - set(ALL_KINDS)
        raise BadInput(f"the event log holds the kind {min(map(str, strange))}, which the contract lacks")
    return codes


def _code_rows(columns: Mapping[str, Column], wanted: frozenset[str]) -> npt.NDArray[np.int8]:
    rows = [
        _coded(columns[name], vocabulary) if name in wanted else np.zeros(len(columns["kind"]), np.int8)
        for name, vocabulary in CODED
    ]
    return np.stack(rows)


def _coded(column: Column, vocabulary: Mapping[str | None, int]) -> npt.NDArray[np.int8]:
    encoded = _encoded(column)
    table = [vocabulary.get(word, _OTHER) for word in encoded.dictionary.to_pylist()]
    lookup = np.array([*table, vocabulary.get(None, _OTHER)], np.int8)
    indices = encoded.indices
    if indices.null_count:
        indices = pc.fill_null(indices.cast(pa.int32()), len(table))
    return np.asarray(lookup[indices.to_numpy(zero_copy_only=False)])


def _encoded(column: Column) -> pa.DictionaryArray:
    column = _one_chunk(column)
    return column if pa.types.is_dictionary(column.type) else column.dictionary_encode()


def _one_chunk(column: Column) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
