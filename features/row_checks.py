"""What an event of a log on disk must satisfy, asked of the columns that are read: `event_rules`, in passing.

The rules are those of `features.event_rules` for one event. What only other rows can tell, that a
refund's order is in the log, is asked when a log is imported.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from .errors import BadInput
from .events import DISPUTE_OUTCOMES, ORDER_KINDS, REFUND_KINDS, VOCABULARY
from .typed import FIRST_TIME, LAST_TIME

Columns = Mapping[str, pa.Array]
Found = Iterator[tuple[int, str]]

_OF_ORDER: Final = pa.array(ORDER_KINDS + REFUND_KINDS)
_DECIDED: Final = pa.array(DISPUTE_OUTCOMES)
_CLOSED: Final = pa.array(["dispute_closed"])
_LINKED: Final = pa.array(["identity_linked"])


def refuse_broken(part: str, columns: Columns) -> None:
    """Raise `BadInput` when rows of a batch break a rule about the columns that it has."""
    for rule in (_amounts, _times, _words, _orders, _disputes, _links):
        for count, what in rule(columns):
            if count:
                raise BadInput(f"{part}: {count} event{'s' * (count > 1)} {what}")


def _amounts(columns: Columns) -> Found:
    for name in ("amount_fen", "line_count"):
        if name in columns and (least := pc.min(columns[name]).as_py() or 0) < 0:
            yield _count(pc.less(columns[name], 0)), f"with a negative {name} (such as {least})"


def _times(columns: Columns) -> Found:
    for name in ("recorded_at", "occurred_at"):
        ends = pc.min_max(columns[name]) if name in columns and len(columns[name]) else None
        if ends and not FIRST_TIME.value <= ends["min"].value <= ends["max"].value <= LAST_TIME.value:
            late, early = pc.greater(columns[name], LAST_TIME), pc.less(columns[name], FIRST_TIME)
            yield _count(pc.or_(late, early)), f"with a {name} outside the years 1 to 9999; check its unit"
    if "occurred_at" in columns and "recorded_at" in columns:
        early = _count(pc.less(columns["recorded_at"], columns["occurred_at"]))
        yield early, "recorded before it occurred; correct the times"


def _words(columns: Columns) -> Found:
    for name, known in VOCABULARY.items():
        if name in columns:
            strange = _strangers(columns[name], known)
            yield len(strange), f"with the {name} {pc.min(strange)}, which the contract lacks"


def _strangers(column: pa.Array, known: tuple[str, ...]) -> pa.Array:
    """Return the words that are not of the vocabulary, as often as they occur."""
    vocabulary = pa.array(known)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    words = column.dictionary.cast(pa.string())
    if pc.all(pc.is_in(words, vocabulary)).as_py() is not False:
        return words[:0]
    used = pc.drop_null(words.take(column.indices))
    return used.filter(pc.invert(pc.is_in(used, vocabulary)))


def _orders(columns: Columns) -> Found:
    if "order_id" in columns and columns["order_id"].null_count:
        bare = pc.is_null(columns["order_id"])
        yield _count(pc.and_(bare, _of_kind(columns, _OF_ORDER))), "of an order or a refund without order_id"


def _disputes(columns: Columns) -> Found:
    if "outcome" in columns:
        bare = pc.invert(_one_of(columns["outcome"], _DECIDED))
        closed = _count(pc.and_(bare, _of_kind(columns, _CLOSED)))
        yield closed, "of a closed dispute without the outcome buyer or merchant"


def _links(columns: Columns) -> Found:
    for name in ("link_type", "link_value"):
        if name in columns and columns[name].null_count:
            bare = _count(pc.and_(pc.is_null(columns[name]), _of_kind(columns, _LINKED)))
            yield bare, f"of kind identity_linked without {name}"


def _of_kind(columns: Columns, kinds: pa.Array) -> pa.Array:
    return _one_of(columns["kind"], kinds)


def _one_of(column: pa.Array, words: pa.Array) -> pa.Array:
    """Flag rows by their word; a dictionary is asked once and not decoded."""
    if not pa.types.is_dictionary(column.type):
        return pc.is_in(column, words)
    flags = pc.is_in(column.dictionary.cast(pa.string()), words)
    return pc.fill_null(flags.take(column.indices), False)


def _count(flags: pa.Array) -> int:
    found: Any = pc.sum(flags).as_py()
    return int(found or 0)
