"""The one evaluator of features: a compiled sweep over each buyer's events, for one buyer or all of them.

Each event carries a bit per selector that it matches. Ages are cut into buckets between the windows'
edges, so an event is added to one bucket when it becomes known and moves on at most once per window;
a window's total is the sum of the buckets inside it. Counts and sums are integers, so no order of
additions and no partition of the work can change a result.

A distinct count keeps the bit on an entity's latest event only: a later event of the same entity takes
the bit away from the earlier one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, ParamSpec, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

from .plan import DAY_US, KIND_CODE, NULL, OP_MEDIAN, OP_RATIO, OP_SINCE_LAST, OP_TOTAL, Plan

PAID_KIND: Final = KIND_CODE["order_paid"]

BASKET_GAP_US: Final = 600_000_000
"""Orders paid within ten minutes of each other are one basket."""

Codes = npt.NDArray[np.int8]
Refs = npt.NDArray[np.int32]
Ints = npt.NDArray[np.int64]


class Columns(NamedTuple):
    """Events as columns, each buyer's together and in the order of `features.events.SORT_KEYS`.

    Refs number a buyer's orders, parties and categories from 0 in order of first appearance, -1 for
    null. ``codes`` are stage, fault, outcome, actor and link type.
    """

    recorded_at: Ints
    occurred_at: Ints
    kind: Codes
    codes: Codes  # (n, 5)
    amount_fen: Ints
    line_count: Ints
    order_ref: Refs
    party_ref: Refs
    category_ref: Refs


class _State(NamedTuple):
    """Scratch memory of one sweep, sized for the longest history."""

    totals: Ints  # (S + V, buckets)
    mask: Ints  # bit per selector, by event
    pay_lag: Ints  # by event
    last: Ints  # (S,) recorded_at, NULL before the first
    first: Ints
    latest: Ints  # (S, refs) event of an entity, -1 without
    order_paid_at: Ints  # by order ref
    order_paid: Ints
    order_basket: Codes
    medians: Ints  # (M, events) sorted values
    median_size: Ints
    edges: Ints  # (buckets + 1,) bucket k holds events [edges[k + 1], edges[k])


P = ParamSpec("P")
R = TypeVar("R")
_inlined = cast("Callable[[Callable[P, R]], Callable[P, R]]", njit(inline="always", error_model="numpy"))
_jit = cast("Callable[[Callable[P, R]], Callable[P, R]]", njit(cache=True, nogil=True, error_model="numpy"))


@_jit
def _new_state(plan: Plan, longest: int) -> _State:
    selectors, buckets = len(plan.kind_mask), len(plan.bounds) + 1
    return _State(
        np.zeros((selectors + len(plan.sum_value), buckets), np.int64),
        np.zeros(longest, np.int64),
        np.zeros(longest, np.int64),
        np.empty(selectors, np.int64),
        np.empty(selectors, np.int64),
        np.empty((selectors, longest + 1), np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int64),
        np.empty(longest, np.int8),
        np.empty((len(plan.median_selector), longest), np.int64),
        np.zeros(len(plan.median_selector), np.int64),
        np.zeros(buckets + 1, np.int64),
    )


@_jit
def _reset(state: _State, plan: Plan, events: int) -> None:
    state.totals[:] = 0
    state.last[:] = NULL
    state.first[:] = NULL
    for s in range(len(plan.entity)):
        if plan.entity[s] != 0:
            state.latest[s, : events + 1] = -1
    state.order_paid_at[:events] = NULL
    state.order_paid[:events] = NULL
    state.order_basket[:events] = 0
    state.median_size[:] = 0
    state.edges[:] = 0


@_inlined
def _value(columns: Columns, state: _State, at: int, i: int, which: int) -> int:
    if which == 0:
        return columns.amount_fen[at + i]
    if which == 1:
        return columns.line_count[at + i]
    return state.pay_lag[i]


@_inlined
def _learn_order(columns: Columns, state: _State, at: int, i: int, previous: int) -> int:
    """Remember payments, set the event's pay lag, and return the order paid last (-1 for none)."""
    order = columns.order_ref[at + i]
    when = columns.occurred_at[at + i]
    if order < 0:
        state.pay_lag[i] = NULL
        return previous
    if columns.kind[at + i] == PAID_KIND and state.order_paid_at[order] == NULL:
        if previous >= 0 and abs(when - state.order_paid_at[previous]) <= BASKET_GAP_US:
            state.order_basket[previous] = 1
            state.order_basket[order] = 1
        state.order_paid_at[order] = when
        state.order_paid[order] = columns.amount_fen[at + i]
        previous = order
    paid_at = state.order_paid_at[order]
    state.pay_lag[i] = NULL if paid_at == NULL else when - paid_at
    return previous


@_inlined
def _matches(columns: Columns, plan: Plan, state: _State, at: int, i: int, s: int) -> bool:
    event = at + i
    if plan.kind_mask[s] >> columns.kind[event] & 1 == 0:
        return False
    for c in range(plan.code_masks.shape[1]):
        if plan.code_masks[s, c] >> columns.codes[event, c] & 1 == 0:
            return False
    amount, lag = columns.amount_fen[event], state.pay_lag[i]
    if not plan.intervals[s, 0] <= amount < plan.intervals[s, 1]:
        return False
    if not plan.intervals[s, 2] <= lag < plan.intervals[s, 3]:
        return False
    order = columns.order_ref[event]
    if plan.flags[s, 0] >= 0 and (order < 0 or state.order_basket[order] != plan.flags[s, 0]):
        return False
    if plan.flags[s, 1] >= 0:
        if order < 0 or amount == NULL or state.order_paid[order] == NULL:
            return False
        if (amount < state.order_paid[order]) != (plan.flags[s, 1] == 1):
            return False
    return True


@_inlined
def _entity(columns: Columns, plan: Plan, event: int, s: int) -> int:
    """Row of ``latest`` for the event's entity, -1 when it names none."""
    which = plan.entity[s]
    if which == 1:
        return columns.party_ref[event]
    if which == 2:
        return columns.category_ref[event]
    return 0


@_inlined
def _bucket_of(edges: Ints, i: int) -> int:
    k = 0
    while i < edges[k + 1]:
        k += 1
    return k


@_inlined
def _enter(columns: Columns, plan: Plan, state: _State, at: int, i: int, head: int) -> None:
    """Set the event's bits; take the bit of an entity's earlier event away, out of its bucket too."""
    event, bits = at + i, np.int64(0)
    kind = columns.kind[event]
    for j in range(plan.kind_start[kind], plan.kind_start[kind + 1]):
        s = plan.kind_selector[j]
        hit = _matches(columns, plan, state, at, i, s)
        if plan.entity[s] != 0:
            entity = _entity(columns, plan, event, s)
            if entity < 0:
                continue
            if hit or plan.until_mask[s] >> kind & 1:
                earlier = state.latest[s, entity]
                if earlier >= 0:
                    state.mask[earlier] &= ~(np.int64(1) << s)
                    if earlier < head:
                        state.totals[s, _bucket_of(state.edges, earlier)] -= 1
                state.latest[s, entity] = i if hit else -1
        if hit:
            bits |= np.int64(1) << s
            state.last[s] = columns.recorded_at[event]
            if state.first[s] == NULL:
                state.first[s] = columns.recorded_at[event]
    state.mask[i] = bits


@_inlined
def _add(columns: Columns, plan: Plan, state: _State, at: int, i: int, bucket: int, sign: int) -> None:
    bits = state.mask[i]
    if bits == 0:
        return
    kind, selectors = columns.kind[at + i], len(plan.kind_mask)
    for j in range(plan.kind_start[kind], plan.kind_start[kind + 1]):
        s = plan.kind_selector[j]
        if bits >> s & 1 == 0:
            continue
        state.totals[s, bucket] += sign
        for v in range(plan.sum_start[s], plan.sum_start[s + 1]):
            sum_index = plan.sum_index[v]
            value = _value(columns, state, at, i, plan.sum_value[sum_index])
            if value != NULL:
                state.totals[selectors + sum_index, bucket] += sign * value


@_jit
def _rank(values: Ints, size: int, value: int) -> int:
    low, high = 0, size
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@_jit
def _move_median(columns: Columns, plan: Plan, state: _State, at: int, i: int, m: int, enters: bool) -> None:
    """Put the event's value into the sorted window of a median, or take it out."""
    if state.mask[i] >> plan.median_selector[m] & 1 == 0:
        return
    value = _value(columns, state, at, i, plan.median_value[m])
    if value == NULL:
        return
    values, size = state.medians[m], state.median_size[m]
    rank = _rank(values, size, value)
    if enters:
        for j in range(size, rank, -1):
            values[j] = values[j - 1]
        values[rank] = value
        state.median_size[m] = size + 1
    else:
        for j in range(rank, size - 1):
            values[j] = values[j + 1]
        state.median_size[m] = size - 1


@_jit
def _first_at_or_after(times: Ints, low: int, high: int, when: int) -> int:
    while low < high:
        middle = (low + high) >> 1
        if times[middle] < when:
            low = middle + 1
        else:
            high = middle
    return low


@_inlined
def _advance(
    columns: Columns, plan: Plan, state: _State, at: int, end: int, as_of: int, previous: int, new: Ints
) -> int:
    """Bring every bucket from the last ``as_of`` to this one; return the order paid last."""
    edges, buckets, times = state.edges, len(plan.bounds) + 1, columns.recorded_at
    head = edges[0]
    new[0] = _first_at_or_after(times, at + head, end, as_of) - at
    for k in range(1, buckets):
        new[k] = _first_at_or_after(times, at + edges[k], at + new[0], as_of - plan.bounds[k - 1]) - at
    new[buckets] = 0
    for i in range(head, new[0]):
        previous = _learn_order(columns, state, at, i, previous)
        _enter(columns, plan, state, at, i, head)
    for k in range(buckets):
        for i in range(edges[k + 1], min(edges[k], new[k + 1])):
            _add(columns, plan, state, at, i, k, -1)
        for i in range(max(new[k + 1], edges[k]), new[k]):
            _add(columns, plan, state, at, i, k, 1)
    for m in range(len(plan.median_selector)):
        low = plan.median_bucket[m] + 1
        for i in range(edges[low], min(head, new[low])):
            _move_median(columns, plan, state, at, i, m, False)
        for i in range(max(head, new[low]), new[0]):
            _move_median(columns, plan, state, at, i, m, True)
    edges[:] = new
    return previous


@_inlined
def _window_total(totals: Ints, accumulator: int, bucket: int) -> int:
    total = 0
    for k in range(bucket + 1):
        total += totals[accumulator, k]
    return total


@_inlined
def _median(state: _State, plan: Plan, m: int) -> float:
    size = state.median_size[m]
    if size == 0:
        return np.nan
    middle = (state.medians[m, (size - 1) // 2] + state.medians[m, size // 2]) / 2.0
    return middle / plan.median_unit[m]


@_inlined
def _read(plan: Plan, state: _State, as_of: int, out: npt.NDArray[np.float64]) -> None:
    """Write the row of features that the buckets now hold."""
    for f in range(len(plan.op)):
        op, a, bucket = plan.op[f], plan.a[f], plan.bucket[f]
        if op == OP_TOTAL:
            out[f] = _window_total(state.totals, a, bucket)
        elif op == OP_RATIO:
            part = _window_total(state.totals, a, bucket) + plan.plus_a[f]
            out[f] = part / (_window_total(state.totals, plan.b[f], bucket) + plan.plus_b[f])
        elif op == OP_MEDIAN:
            out[f] = _median(state, plan, a)
        else:
            when = state.last[a] if op == OP_SINCE_LAST else state.first[a]
            out[f] = np.nan if when == NULL else (as_of - when) / DAY_US


@_jit
def evaluate(
    columns: Columns,
    offsets: Ints,
    rows: Ints,
    as_of: Ints,
    place: Ints,
    plan: Plan,
    out: npt.NDArray[np.float64],
) -> None:
    """Fill ``out`` with the features of every row.

    Parameters
    ----------
    columns : Columns
    offsets : int64 (n_buyers + 1,)
        Buyer ``b`` has events ``[offsets[b], offsets[b + 1])``.
    rows : int64 (n_buyers + 1,)
        Buyer ``b`` is asked for at ``as_of[rows[b] : rows[b + 1]]``.
    as_of : int64 (n_rows,)
        Microseconds UTC, ascending within a buyer.
    place : int64 (n_rows,)
        Row of ``out`` for each.
    plan : Plan
    out : float64 (n_rows, n_features)
    """
    longest = 1
    for b in range(len(offsets) - 1):
        if rows[b] < rows[b + 1]:
            longest = max(longest, offsets[b + 1] - offsets[b])
    state = _new_state(plan, longest)
    new = np.empty_like(state.edges)
    for b in range(len(offsets) - 1):
        if rows[b] == rows[b + 1]:
            continue
        at, end = offsets[b], offsets[b + 1]
        _reset(state, plan, end - at)
        previous = -1
        for r in range(rows[b], rows[b + 1]):
            previous = _advance(columns, plan, state, at, end, as_of[r], previous, new)
            _read(plan, state, as_of[r], out[place[r]])
