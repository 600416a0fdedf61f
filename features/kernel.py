"""The one evaluator of features: a compiled sweep over each buyer's events, for one buyer or all of them.

Each event carries a bit per selector that it matches. Ages are cut into buckets between the windows'
edges, so an event is added to one bucket when it becomes known and moves on at most once per window;
a window's total is the sum of the buckets inside it. Counts and sums are integers, so no order of
additions and no partition of the work can change a result.

A distinct count keeps the bit on an entity's latest event only: a later event of the same entity takes
the bit away from the earlier one.

The functions take arrays one by one: numba counts references on every array that it reads out of a
tuple, which made the sweep several times slower.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .machine_code import compiled
from .matching import Events, Floats, Ints, Records, entity, learn_order, matches
from .plan import DAY_US, NULL, OP_MEDIAN, OP_RATIO, OP_SINCE_LAST, OP_TOTAL, Plan

SEEN: Final = np.dtype([("mask", "i8"), ("pay_lag", "i8")])
ORDER: Final = np.dtype([("paid_at", "i8"), ("paid", "i8"), ("basket", "i8")])


@compiled
def _value(events: Events, seen: Records, at: int, i: int, which: int) -> int:
    if which == 0:
        return events[at + i].amount_fen
    if which == 1:
        lines = events[at + i].line_count
        return NULL if lines < 0 else lines
    return seen[i].pay_lag


@compiled
def _bucket_of(edges: Ints, i: int) -> int:
    k = 0
    while i < edges[k + 1]:
        k += 1
    return k


@compiled
def _enter(
    events: Events,
    seen: Records,
    orders: Records,
    latest: Ints,
    known: Ints,
    totals: Ints,
    edges: Ints,
    selectors: Records,
    kind_start: Ints,
    kind_selector: Ints,
    at: int,
    i: int,
) -> None:
    """Set the event's bits; take the bit of an entity's earlier event away, out of its bucket too."""
    event, bits, head = events[at + i], np.int64(0), edges[0]
    for j in range(kind_start[event.kind], kind_start[event.kind + 1]):
        s = kind_selector[j]
        selector = selectors[s]
        hit = matches(event, seen[i].pay_lag, orders, selector)
        if selector.entity != 0:
            which = entity(event, selector.entity)
            if which < 0:
                continue
            if hit or selector.until_mask >> event.kind & 1:
                row = selector.latest
                earlier = latest[row, which]
                if earlier >= 0:
                    seen[earlier].mask &= ~(np.int64(1) << s)
                    if earlier < head:
                        totals[s, _bucket_of(edges, earlier)] -= 1
                latest[row, which] = i if hit else -1
        if hit:
            bits |= np.int64(1) << s
            known[s, 0] = event.recorded_at
            if known[s, 1] == NULL:
                known[s, 1] = event.recorded_at
    seen[i].mask = bits


@compiled
def _add(
    events: Events,
    seen: Records,
    totals: Ints,
    selectors: Records,
    sum_value: Ints,
    at: int,
    i: int,
    bucket: int,
    sign: int,
) -> None:
    bits, s = seen[i].mask, 0
    while bits:
        if bits & 1:
            totals[s, bucket] += sign
            for v in range(selectors[s].sum_start, selectors[s].sum_end):
                value = _value(events, seen, at, i, sum_value[v])
                if value != NULL:
                    totals[len(selectors) + v, bucket] += sign * value
        bits >>= 1
        s += 1


@compiled
def _move_medians(
    events: Events,
    seen: Records,
    medians: Records,
    values: Ints,
    sizes: Ints,
    at: int,
    i: int,
    m: int,
    enters: bool,
) -> None:
    """Put the event's value into the sorted window of a median, or take it out."""
    if seen[i].mask >> medians[m].selector & 1 == 0:
        return
    value = _value(events, seen, at, i, medians[m].value)
    if value == NULL:
        return
    size = sizes[m]
    rank = size
    while rank > 0 and values[m, rank - 1] >= value:
        rank -= 1
    if enters:
        for j in range(size, rank, -1):
            values[m, j] = values[m, j - 1]
        values[m, rank] = value
        sizes[m] = size + 1
    else:
        for j in range(rank, size - 1):
            values[m, j] = values[m, j + 1]
        sizes[m] = size - 1


@compiled
def first_at_or_after(events: Events, low: int, high: int, when: int) -> int:
    """Find the first of ``[low, high)``, ascending in ``recorded_at``, that is not before ``when``."""
    while low < high:
        middle = (low + high) >> 1
        if events[middle].recorded_at < when:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _window_total(totals: Ints, accumulator: int, bucket: int) -> int:
    total = 0
    for k in range(bucket + 1):
        total += totals[accumulator, k]
    return total


@compiled
def read_row(
    features: Records,
    totals: Ints,
    known: Ints,
    medians: Records,
    values: Ints,
    sizes: Ints,
    as_of: int,
    out: Floats,
) -> None:
    """Write the row of features that the buckets now hold."""
    for f in range(len(features)):
        feature = features[f]
        op, a = feature.op, feature.a
        if op == OP_TOTAL:
            out[f] = _window_total(totals, a, feature.bucket)
        elif op == OP_RATIO:
            part = _window_total(totals, a, feature.bucket) + feature.plus_a
            out[f] = part / (_window_total(totals, feature.b, feature.bucket) + feature.plus_b)
        elif op == OP_MEDIAN:
            size = sizes[a]
            middle = (values[a, (size - 1) // 2] + values[a, size // 2]) / 2.0
            out[f] = np.nan if size == 0 else middle / medians[a].unit
        else:
            when = known[a, 0] if op == OP_SINCE_LAST else known[a, 1]
            out[f] = np.nan if when == NULL else (as_of - when) / DAY_US


@compiled
def _evaluate(
    events: Events,
    offsets: Ints,
    rows: Ints,
    as_of: Ints,
    place: Ints,
    bounds: Ints,
    selectors: Records,
    kind_start: Ints,
    kind_selector: Ints,
    sum_value: Ints,
    medians: Records,
    features: Records,
    seen: Records,
    orders: Records,
    latest: Ints,
    values: Ints,
    out: Floats,
) -> None:
    buckets = len(bounds) + 1
    totals = np.zeros((len(selectors) + len(sum_value), buckets), np.int64)
    known = np.empty((len(selectors), 2), np.int64)
    sizes = np.zeros(len(medians), np.int64)
    edges = np.zeros(buckets + 1, np.int64)
    new = np.zeros(buckets + 1, np.int64)
    for b in range(len(offsets) - 1):
        if rows[b] == rows[b + 1]:
            continue
        at, end = offsets[b], offsets[b + 1]
        totals[:] = 0
        known[:] = NULL
        sizes[:] = 0
        edges[:] = 0
        latest[:, : end - at + 1] = -1
        for i in range(end - at):
            orders[i].paid_at = NULL
            orders[i].paid = NULL
            orders[i].basket = 0
        previous = -1
        for r in range(rows[b], rows[b + 1]):
            head = edges[0]
            new[0] = first_at_or_after(events, at + head, end, as_of[r]) - at
            for k in range(1, buckets):
                since = as_of[r] - bounds[k - 1]
                new[k] = first_at_or_after(events, at + edges[k], at + new[0], since) - at
            for i in range(head, new[0]):
                previous = learn_order(events, seen, orders, at, i, previous)
                _enter(
                    events,
                    seen,
                    orders,
                    latest,
                    known,
                    totals,
                    edges,
                    selectors,
                    kind_start,
                    kind_selector,
                    at,
                    i,
                )
            for k in range(buckets):
                for i in range(edges[k + 1], min(edges[k], new[k + 1])):
                    _add(events, seen, totals, selectors, sum_value, at, i, k, -1)
                for i in range(max(new[k + 1], edges[k]), new[k]):
                    _add(events, seen, totals, selectors, sum_value, at, i, k, 1)
            for m in range(len(medians)):
                low = medians[m].bucket + 1
                for i in range(edges[low], min(head, new[low])):
                    _move_medians(events, seen, medians, values, sizes, at, i, m, False)
                for i in range(max(head, new[low]), new[0]):
                    _move_medians(events, seen, medians, values, sizes, at, i, m, True)
            edges[:] = new
            read_row(features, totals, known, medians, values, sizes, as_of[r], out[place[r]])


def evaluate(
    events: Events, offsets: Ints, rows: Ints, as_of: Ints, *, place: Ints, plan: Plan, out: Floats
) -> None:
    """Fill ``out`` with the features of every row.

    Parameters
    ----------
    events : EVENT (n_events,)
        Each buyer's together and in the order of `features.events.SORT_KEYS`.
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
    asked = np.flatnonzero(np.diff(rows))
    longest = 1 + int(np.diff(offsets)[asked].max(initial=0))
    _evaluate(
        events,
        offsets,
        rows,
        as_of,
        place,
        *plan,
        np.empty(longest, SEEN),
        np.empty(longest, ORDER),
        np.empty((int(plan.selectors["latest"].max(initial=-1)) + 1, longest), np.int64),
        np.empty((len(plan.medians), longest), np.int64),
        out,
    )
