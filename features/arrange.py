"""Compiled passes that turn rows in any order into each buyer's history.

`scatter` puts rows where their buyer's events go (a counting sort, so its cost does not grow with the
logarithm of the log), `arrange` orders each history and numbers its orders, parties and categories.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .machine_code import compiled
from .matching import Events, Ints
from .plan import NULL

Codes = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

_MOST: Final = np.iinfo(np.int64).max


@compiled
def scatter(
    events: Events,
    next_at: Ints,
    row_of: Codes,
    first_row: int,
    buyers: Codes,
    recorded_at: Ints,
    occurred_at: Ints,
    amount_fen: Ints,
    line_count: Codes,
    kind: npt.NDArray[np.int8],
    codes: npt.NDArray[np.int8],
    orders: Codes,
    parties: Codes,
    categories: Codes,
) -> None:
    """Write each row at its buyer's next free place; an empty array is a column that nobody needs."""
    for i in range(len(buyers)):
        at = next_at[buyers[i]]
        next_at[buyers[i]] = at + 1
        event = events[at]
        event.recorded_at = recorded_at[i]
        event.occurred_at = occurred_at[i] if len(occurred_at) else 0
        event.amount_fen = amount_fen[i] if len(amount_fen) else NULL
        event.line_count = line_count[i] if len(line_count) else -1
        event.kind = kind[i]
        for c in range(5):
            event.codes[c] = codes[c, i] if len(codes[c]) else 0
        event.order_ref = orders[i] if len(orders) else -1
        event.party_ref = parties[i] if len(parties) else -1
        event.category_ref = categories[i] if len(categories) else -1
        if len(row_of):
            row_of[at] = first_row + i


@compiled
def _precedes(events: Events, row_of: Codes, id_ends: Ints, ids: Bytes, a: int, b: int) -> bool:
    one, other = events[a], events[b]
    if one.recorded_at != other.recorded_at:
        return bool(one.recorded_at < other.recorded_at)
    if one.occurred_at != other.occurred_at:
        return bool(one.occurred_at < other.occurred_at)
    if len(row_of) == 0:
        return False
    i, i_end = id_ends[row_of[a]], id_ends[row_of[a] + 1]
    j, j_end = id_ends[row_of[b]], id_ends[row_of[b] + 1]
    while i < i_end and j < j_end:
        if ids[i] != ids[j]:
            return bool(ids[i] < ids[j])
        i += 1
        j += 1
    return bool(i == i_end and j < j_end)


@compiled
def _merge_sort(
    events: Events, row_of: Codes, id_ends: Ints, ids: Bytes, at: int, size: int, order: Ints, other: Ints
) -> Ints:
    """Return the stable order of ``events[at : at + size]``, in one of the two scratch arrays."""
    for i in range(size):
        order[i] = at + i
    width = 1
    while width < size:
        for low in range(0, size, 2 * width):
            middle, high = min(low + width, size), min(low + 2 * width, size)
            i, j = low, middle
            for k in range(low, high):
                take_right = i >= middle or (
                    j < high and _precedes(events, row_of, id_ends, ids, order[j], order[i])
                )
                if take_right:
                    other[k] = order[j]
                    j += 1
                else:
                    other[k] = order[i]
                    i += 1
        order, other = other, order
        width *= 2
    return order


@compiled
def _sort(
    events: Events,
    row_of: Codes,
    id_ends: Ints,
    ids: Bytes,
    at: int,
    end: int,
    order: Ints,
    other: Ints,
    moved: Events,
) -> None:
    """Order one history, at no more than one comparison an event where it is in order already."""
    in_order = True
    for i in range(at + 1, end):
        if _precedes(events, row_of, id_ends, ids, i, i - 1):
            in_order = False
            break
    if in_order:
        return
    order = _merge_sort(events, row_of, id_ends, ids, at, end - at, order, other)
    for i in range(end - at):
        moved[i] = events[order[i]]
    for i in range(end - at):
        events[at + i] = moved[i]


@compiled
def _numbered(number: Codes, owner: Codes, word: int, buyer: int, used: int) -> int:
    """Return the word's number within the buyer, ``used`` when it is new."""
    if owner[word] != buyer:
        owner[word] = buyer
        number[word] = used
    return int(number[word])


@compiled
def _arrange(
    events: Events,
    offsets: Ints,
    row_of: Codes,
    id_ends: Ints,
    ids: Bytes,
    order_word: Codes,
    party_word: Codes,
    category_word: Codes,
    number: Codes,
    owner: Codes,
    order: Ints,
    other: Ints,
    moved: Events,
) -> int:
    for b in range(len(offsets) - 1):
        at, end = offsets[b], offsets[b + 1]
        _sort(events, row_of, id_ends, ids, at, end, order, other, moved)
        used_orders, used_parties, used_categories, fen = 0, 0, 0, 0
        for i in range(at, end):
            event = events[i]
            if event.order_ref >= 0:
                ref = _numbered(number[0], owner[0], order_word[event.order_ref], b, used_orders)
                used_orders += ref == used_orders
                event.order_ref = ref
            if event.party_ref >= 0:
                ref = _numbered(number[1], owner[1], party_word[event.party_ref], b, used_parties)
                used_parties += ref == used_parties
                event.party_ref = ref
            if event.category_ref >= 0:
                ref = _numbered(number[2], owner[2], category_word[event.category_ref], b, used_categories)
                used_categories += ref == used_categories
                event.category_ref = ref
            if event.amount_fen > 0:
                if fen > _MOST - event.amount_fen:
                    return b
                fen += event.amount_fen
    return -1


def arrange(
    events: Events,
    offsets: Ints,
    *,
    row_of: Codes,
    id_ends: Ints,
    ids: Bytes,
    words: tuple[Codes, Codes, Codes],
) -> int:
    """Order each buyer's events in place and number their refs from 0 within the buyer.

    Parameters
    ----------
    events : EVENT (n_events,)
        Each buyer's together; refs hold indices into ``words``.
    offsets : int64 (n_buyers + 1,)
    row_of : int32 (n_events,) or empty
        The row of each event in ``id_ends``; empty when ties need no order.
    id_ends, ids : int64 (n_rows + 1,), uint8
        The event ids, as in an Arrow string array.
    words : three int32 arrays
        What each order, party and category index stands for.

    Returns
    -------
    int
        -1, or the first buyer whose amounts add up to 2^63 fen or more.
    """
    longest = int(np.diff(offsets).max(initial=0))
    size = max((int(w.max(initial=-1)) + 1 for w in words), default=0)
    found: int = _arrange(
        events,
        offsets,
        row_of,
        id_ends,
        ids,
        *words,
        np.empty((3, size), np.int32),
        np.full((3, size), -1, np.int32),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, events.dtype),
    )
    return found


@compiled
def hash_texts(ends: Any, data: Bytes, out: npt.NDArray[np.uint64]) -> None:
    """Hash each text (FNV-1a, 64 bits): equal texts have equal hashes, the reverse must be checked."""
    for i in range(len(out)):
        h = np.uint64(0xCBF29CE484222325)
        for j in range(ends[i], ends[i + 1]):
            h = (h ^ np.uint64(data[j])) * np.uint64(0x100000001B3)
        out[i] = h
