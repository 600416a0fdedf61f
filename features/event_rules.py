"""What an event must satisfy before it enters the log: one declared list of rules.

Row rules look at one event (or, for duplicates, at its batch) and hold wherever events come in. The log
rule needs the whole log: a refund names an order that its buyer placed or paid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.events import DISPUTE_OUTCOMES, ORDER_KINDS, REFUND_KINDS, VOCABULARY

Flags: TypeAlias = pa.ChunkedArray | bool
MOST_FEN: Final = 10**12
"""Ten billion yuan: beyond this no amount is meant, and sums stay far from 2^63."""


@dataclass(frozen=True)
class Rule:
    """One thing an event must satisfy; ``passes`` gives a flag per row, null where it does not apply."""

    code: str
    text: str
    passes: Callable[[pa.Table], Flags]


def _read(code: str, text: str) -> Rule:
    """Refuse the rows that conversion has marked with this fault."""

    def passes(table: pa.Table) -> Flags:
        return pc.invert(table[f"!{code}"]) if f"!{code}" in table.column_names else True

    return Rule(code, text, passes)


def _present(column: str) -> Rule:
    return Rule(f"missing_{column}", f"{column} is missing", lambda t: pc.is_valid(t[column]))


def _known(column: str, words: tuple[str, ...]) -> Rule:
    return Rule(
        f"unknown_{column}",
        f"{column} is none of {', '.join(words)}",
        lambda t: pc.is_in(t[column], pa.array((*words, None), pa.string())),
    )


def _not_negative(column: str) -> Rule:
    return Rule(f"negative_{column}", f"{column} is negative", lambda t: pc.greater_equal(t[column], 0))


def _not_above(column: str, most: int) -> Rule:
    return Rule(f"too_large_{column}", f"{column} is above {most}", lambda t: pc.less_equal(t[column], most))


def _of_kind(table: pa.Table, kinds: Iterable[str]) -> pa.ChunkedArray:
    return pc.is_in(table["kind"], pa.array(list(kinds), pa.string()))


def _has_order(table: pa.Table) -> Flags:
    return pc.or_(pc.invert(_of_kind(table, ORDER_KINDS + REFUND_KINDS)), pc.is_valid(table["order_id"]))


def _has_outcome(table: pa.Table) -> Flags:
    decided = pc.is_in(table["outcome"], pa.array(DISPUTE_OUTCOMES))
    return pc.or_(pc.invert(_of_kind(table, ["dispute_closed"])), decided)


def _has_link(table: pa.Table) -> Flags:
    linked = pc.and_(pc.is_valid(table["link_type"]), pc.is_valid(table["link_value"]))
    return pc.or_(pc.invert(_of_kind(table, ["identity_linked"])), linked)


def _first_of_id(table: pa.Table) -> Flags:
    ids = table["event_id"]
    if pc.count_distinct(ids).as_py() == len(ids) - ids.null_count:
        return True
    codes = ids.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    first = codes == -1
    first[np.unique(codes, return_index=True)[1]] = True
    return pa.chunked_array([pa.array(first)])


def _order_known(table: pa.Table) -> Flags:
    refund = _of_kind(table, REFUND_KINDS)
    orders = _orders(table.filter(_of_kind(table, ["order_placed", "order_paid"])))
    known = pc.is_in(_orders(table.filter(refund)), orders)
    flags = np.ones(table.num_rows, dtype=bool)
    flags[refund.to_numpy()] = known.to_numpy()
    return pa.chunked_array([pa.array(flags)])


def _orders(events: pa.Table) -> pa.ChunkedArray:
    return pc.binary_join_element_wise(events["buyer_id"], events["order_id"], "\x1f")


ROW_RULES: Final = (
    _present("event_id"),
    _present("buyer_id"),
    _present("kind"),
    _read("missing_time", "occurred_at or recorded_at is missing"),
    _read("naive_time", "occurred_at or recorded_at has no time zone"),
    _read("inexact_time", "occurred_at or recorded_at is finer than a microsecond or out of range"),
    _read("unreadable_time", "occurred_at or recorded_at is not an ISO 8601 time"),
    *(_known(column, words) for column, words in VOCABULARY.items()),
    Rule(
        "recorded_before_occurred",
        "recorded_at is before occurred_at",
        lambda t: pc.greater_equal(t["recorded_at"], t["occurred_at"]),
    ),
    _read("fractional_amount_fen", "amount_fen is not a whole number of fen"),
    _read("unreadable_amount_fen", "amount_fen is not a number that fits 64 bits exactly"),
    _not_negative("amount_fen"),
    _not_above("amount_fen", MOST_FEN),
    _read("fractional_line_count", "line_count is not a whole number"),
    _read("unreadable_line_count", "line_count is not a number that fits 32 bits"),
    _not_negative("line_count"),
    Rule("missing_order_id", "an event of an order or a refund names no order_id", _has_order),
    Rule(
        "bad_dispute_outcome", "a closed dispute has an outcome that is not buyer or merchant", _has_outcome
    ),
    Rule("missing_link", "an identity_linked event lacks link_type or link_value", _has_link),
    Rule("duplicate_event_id", "an earlier row has the same event_id (duplicate)", _first_of_id),
)
"""The rules for any event, in the order in which a row's first fault is named."""

LOG_RULES: Final = (
    Rule(
        "refund_without_order", "the buyer has no order_placed or order_paid with this order_id", _order_known
    ),
)
"""The rules for a complete log, asked of the rows that pass the row rules."""
