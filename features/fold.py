"""A packed history under the compiled hood: take events in, fold what is old, read the features off.

What the kernel finds out while it sweeps a history is kept beside each event: which selectors count it.
A vector then needs no sweep, only a look at the events that a window can still hold. The conditions
themselves are the kernel's own functions.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba.cpython.unsafe.numbers import trailing_zeros

from .kernel import SEEN, first_at_or_after, read_row
from .machine_code import compiled
from .matching import entity, learn_order, matches
from .plan import FEATURE, MEDIAN, NULL

RECENT: Final = np.dtype(
    [
        ("recorded_at", "i8"),
        ("mask", "i8"),  # bit s: selector s counts the event
        ("amount_fen", "i8"),
        ("pay_lag", "i8"),
        ("event", "i8"),  # digest of the event id
        ("line_count", "i8"),
    ]
)
"""An event that a window can still hold, 48 bytes."""

LAYOUT, PLAN, FOLDED, N_RECENT, N_LASTING, N_ORDERS, N_PARTIES, N_CATEGORIES = range(8)
LAST_RECORDED, LAST_OCCURRED, PREVIOUS, ID_LENGTH, AMOUNT_FEN = range(8, 13)
HEAD: Final = 13
"""Words of the head; the names above are their positions."""

OK, OTHER_PLAN, TOO_EARLY = range(3)

Records = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@compiled
def _number(names: Ints, size: int, name: int) -> int:
    """Find a name's number, the newest first; ``size`` when it is new, -1 for null."""
    if name == 0:
        return -1
    for i in range(size - 1, -1, -1):
        if names[i] == name:
            return i
    names[size] = name
    return size


@compiled
def _name(event: Any, names: Ints, head: Ints, orders: Records, tables: Any, latest: Any) -> None:
    """Number the event's order, party and category, with room for what is new."""
    order = _number(tables[2], head[N_ORDERS], names[1])
    if order == head[N_ORDERS]:
        orders[order].paid_at = NULL
        orders[order].paid = NULL
        orders[order].basket = 0
        latest[2][order] = -1
        head[N_ORDERS] += 1
    party = _number(tables[0], head[N_PARTIES], names[2])
    if party == head[N_PARTIES]:
        latest[0][party] = -1
        head[N_PARTIES] += 1
    category = _number(tables[1], head[N_CATEGORIES], names[3])
    if category == head[N_CATEGORIES]:
        latest[1][category] = -1
        head[N_CATEGORIES] += 1
    event.order_ref, event.party_ref, event.category_ref = order, party, category


@compiled
def _take_away(recent: Records, folded: Ints, base: int, s: int, earlier: int) -> None:
    """Let the selector no longer count an entity's earlier event."""
    if earlier >= base:
        recent[earlier - base].mask &= ~(np.int64(1) << s)
    elif earlier >= 0:
        folded[s] -= 1


@compiled
def absorb(
    events: Records,
    names: Ints,
    head: Ints,
    folded: Ints,
    known: Ints,
    recent: Records,
    orders: Records,
    tables: Any,
    latest: Any,
    column: Ints,
    selectors: Records,
    kind_start: Ints,
    kind_selector: Ints,
) -> None:
    """Take events in, in order; the tables have room for what is new in each."""
    seen = np.empty(len(events), SEEN)
    for i in range(len(events)):
        size, base = head[N_RECENT], head[FOLDED]
        _name(events[i], names[i], head, orders, tables, latest)
        head[PREVIOUS] = learn_order(events, seen, orders, 0, i, head[PREVIOUS])
        event, bits, lag = events[i], np.int64(0), seen[i].pay_lag
        for j in range(kind_start[event.kind], kind_start[event.kind + 1]):
            s = kind_selector[j]
            selector = selectors[s]
            hit = matches(event, lag, orders, selector)
            if selector.entity != 0:
                which = entity(event, selector.entity)
                if which < 0:
                    continue
                if hit or selector.until_mask >> event.kind & 1:
                    of = latest[selector.entity - 1]
                    _take_away(recent, folded, base, s, of[which, column[s]])
                    of[which, column[s]] = base + size if hit else -1
            if hit:
                bits |= np.int64(1) << s
                known[s, 0] = event.recorded_at
                if known[s, 1] == NULL:
                    known[s, 1] = event.recorded_at
        recent[size].recorded_at = event.recorded_at
        recent[size].mask = bits
        recent[size].amount_fen = event.amount_fen
        recent[size].pay_lag = lag
        recent[size].event = names[i, 0]
        recent[size].line_count = NULL if event.line_count < 0 else event.line_count
        head[N_RECENT] += 1
        head[LAST_RECORDED], head[LAST_OCCURRED] = event.recorded_at, event.occurred_at


@compiled
def _value(event: Any, which: int) -> Any:
    if which == 0:
        return event.amount_fen
    return event.line_count if which == 1 else event.pay_lag


@compiled
def _add_up(recent: Records, low: int, high: int, totals: Ints, sum_start: Ints, sum_value: Ints) -> None:
    """Add the events ``[low, high)`` to their totals; one loop, a call for each event took twice as long."""
    n_selectors = len(sum_start) - 1
    for i in range(low, high):
        bits = recent[i].mask
        while bits:
            s: int = trailing_zeros(bits)  # type: ignore[call-arg]
            bits &= bits - 1
            totals[s] += 1
            for v in range(sum_start[s], sum_start[s + 1]):
                value = _value(recent[i], sum_value[v])
                if value != NULL:
                    totals[n_selectors + v] += value


@compiled
def fold(
    recent: Records,
    until: int,
    folded: Ints,
    lasting: Ints,
    head: Ints,
    bounds: Ints,
    sum_start: Ints,
    sum_value: Ints,
    medians: Records,
) -> int:
    """Add up the events recorded up to ``until``, which no finite window can hold again; say how many.

    A median without a window still needs the value of each of its events: those go to ``lasting``.
    """
    old = first_at_or_after(recent, 0, len(recent), until + 1)
    _add_up(recent, 0, old, folded, sum_start, sum_value)
    for i in range(old):
        for m in range(len(medians)):
            value = _value(recent[i], medians[m].value)
            if medians[m].bucket < len(bounds) or recent[i].mask >> medians[m].selector & 1 == 0:
                continue
            if value != NULL:
                lasting[head[N_LASTING], 0] = m
                lasting[head[N_LASTING], 1] = value
                head[N_LASTING] += 1
    head[FOLDED] += old
    head[N_RECENT] -= old
    return old


@compiled
def _select(values: Ints, size: int, rank: int) -> int:
    """Put the value of a rank in its place (Hoare's selection), smaller ones before it."""
    low, high = 0, size - 1
    while low < high:
        pivot, i, j = values[(low + high) >> 1], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    found: int = values[rank]
    return found


@compiled
def _middle(values: Ints, size: int) -> int:
    """Move the middle one or two of the values to the front; say how many they are."""
    if size == 0:
        return 0
    upper = _select(values, size, size >> 1)
    if size & 1:
        values[0] = upper
        return 1
    lower = values[0]
    for i in range(size >> 1):
        lower = max(lower, values[i])
    values[0], values[1] = lower, upper
    return 2


@compiled
def _collect(lasting: Ints, recent: Records, cuts: Ints, median: Any, m: int, values: Ints) -> int:
    """Gather the values that a median is over."""
    size = 0
    if median.bucket == len(cuts) - 2:
        for i in range(len(lasting)):
            if lasting[i, 0] == m:
                values[size] = lasting[i, 1]
                size += 1
    for i in range(cuts[median.bucket + 1], len(recent)):
        if recent[i].mask >> median.selector & 1:
            value = _value(recent[i], median.value)
            if value != NULL:
                values[size] = value
                size += 1
    return size


@compiled
def read_vector(packed: Bytes, plan: Bytes, layout: int, as_of: int, out: Floats) -> int:
    """Write the features at ``as_of`` into ``out``; return one of the codes above.

    Parameters
    ----------
    packed : uint8 (n,)
        `features.packed` says what lies where; the part up to the recent events is read.
    plan : uint8
        As `features.packed.plan_bytes` lays it out.
    """
    head, counts = packed[: 8 * HEAD].view(np.int64), plan[:48].view(np.int64)
    if head[LAYOUT] != layout or head[PLAN] != counts[0]:
        return OTHER_PLAN
    if as_of <= head[LAST_RECORDED]:
        return TOO_EARLY
    at, end = 48, 48 + 8 * counts[1]
    bounds = plan[at:end].view(np.int64)
    at, end = end, end + 8 * counts[2]
    sum_value = plan[at:end].view(np.int64)
    at, end = end, end + 8 * counts[3]
    sum_start = plan[at:end].view(np.int64)
    at, end = end, end + 32 * counts[4]
    medians = plan[at:end].view(MEDIAN)
    features = plan[end : end + 48 * counts[5]].view(FEATURE)

    n_selectors, buckets = len(sum_start) - 1, len(bounds) + 1
    n_totals = n_selectors + len(sum_value)
    at, end = 8 * HEAD, 8 * (HEAD + n_totals)
    folded = packed[at:end].view(np.int64)
    at, end = end, end + 16 * n_selectors
    known = packed[at:end].view(np.int64).reshape(n_selectors, 2)
    at, end = end, end + 16 * head[N_LASTING]
    lasting = packed[at:end].view(np.int64).reshape(head[N_LASTING], 2)
    recent = packed[end : end + 48 * head[N_RECENT]].view(RECENT)

    cuts = np.zeros(buckets + 1, np.int64)
    cuts[0] = len(recent)
    for k in range(1, buckets):
        cuts[k] = first_at_or_after(recent, 0, len(recent), as_of - bounds[k - 1])
    totals = np.zeros((buckets, n_totals), np.int64)
    totals[buckets - 1] = folded
    for k in range(buckets):
        _add_up(recent, cuts[k + 1], cuts[k], totals[k], sum_start, sum_value)
    values = np.empty((len(medians), max(2, len(recent) + len(lasting))), np.int64)
    sizes = np.zeros(len(medians), np.int64)
    for m in range(len(medians)):
        size = _collect(lasting, recent, cuts, medians[m], m, values[m])
        sizes[m] = _middle(values[m], size)
    read_row(features, totals.T, known, medians, values, sizes, as_of, out)
    return OK
