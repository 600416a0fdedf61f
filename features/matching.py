"""Packed events, and which of them a selector matches: the conditions of every feature."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .declare import BASKET_GAP
from .machine_code import compiled
from .plan import KIND_CODE, NULL

PAID_KIND: Final = KIND_CODE["order_paid"]
BASKET_GAP_US: Final = BASKET_GAP // timedelta(microseconds=1)

EVENT: Final = np.dtype(
    [
        ("recorded_at", "i8"),
        ("occurred_at", "i8"),
        ("amount_fen", "i8"),
        ("order_ref", "i4"),
        ("party_ref", "i4"),
        ("category_ref", "i4"),
        ("line_count", "i4"),
        ("kind", "i1"),
        ("codes", "i1", (5,)),
        ("pad", "i1", (2,)),
    ]
)
"""One packed event, 48 bytes. Refs number a buyer's orders, parties and categories from 0 in order of
first appearance, -1 for null; ``codes`` are stage, fault, outcome, actor and link type."""

Events = npt.NDArray[np.void]
Records = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@compiled
def learn_order(events: Events, seen: Records, orders: Records, at: int, i: int, previous: int) -> int:
    """Remember payments, set the event's pay lag, and return the order paid last (-1 for none)."""
    event = events[at + i]
    order = event.order_ref
    if order < 0:
        seen[i].pay_lag = NULL
        return previous
    when = event.occurred_at
    if event.kind == PAID_KIND and orders[order].paid_at == NULL:
        if previous >= 0 and abs(when - orders[previous].paid_at) <= BASKET_GAP_US:
            orders[previous].basket = 1
            orders[order].basket = 1
        orders[order].paid_at = when
        orders[order].paid = event.amount_fen
        previous = order
    paid_at = orders[order].paid_at
    seen[i].pay_lag = NULL if paid_at == NULL else when - paid_at
    return previous


@compiled
def matches(event: Any, lag: int, orders: Records, selector: Any) -> bool:
    """Tell whether the event, ``lag`` after its order's payment, is one that the selector counts."""
    if selector.kind_mask >> event.kind & 1 == 0:
        return False
    for c in range(5):
        if selector.code_masks[c] >> event.codes[c] & 1 == 0:
            return False
    amount, order = event.amount_fen, event.order_ref
    if not selector.amount_low <= amount < selector.amount_high:
        return False
    if not selector.lag_low <= lag < selector.lag_high:
        return False
    if selector.basket >= 0 and (order < 0 or orders[order].basket != selector.basket):
        return False
    if selector.partial >= 0:
        if order < 0 or amount == NULL or orders[order].paid == NULL:
            return False
        return (amount < orders[order].paid) == (selector.partial == 1)
    return True


@compiled
def entity(event: Any, which: int) -> int:
    """Name the event's entity by its ref, -1 when it has none."""
    if which == 1:
        return event.party_ref
    if which == 2:
        return event.category_ref
    if which == 3:
        return event.order_ref
    return 0
