"""Whether the buyer of a request cancels again, and when that is known."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtest.again import Again, again_of
from backtest.history import read_history
from features.log import write_log
from features.scan import open_log
from tests.backtest.scenes import DAY, HOUR, START, event, table

END = 151 * DAY
"""The request comes on the first day; the log goes on until its outcome is just complete."""


def order(name: str, at: timedelta, *, back: timedelta | None = None) -> list[dict[str, Any]]:
    own = {"order_id": name, "line_count": 2}
    rows = [event(f"{name}-paid", "order_paid", START + at, **own)]
    if back is not None:
        of_case = own | {"after_sale_id": f"a-{name}", "stage": "after_shipment"}
        rows.append(event(f"{name}-back", "refund_granted", START + at + back, **of_case))
    return rows


def outcome(folder: Path, *orders: list[dict[str, Any]], end: timedelta = END) -> Again:
    of_case = {"order_id": "o", "after_sale_id": "a", "stage": "before_shipment"}
    rows = [
        *order("o", timedelta()),
        event("asked", "refund_requested", START + DAY, **of_case),
        event("end", "order_placed", START + end, order_id="end"),
        *(row for rows in orders for row in rows),
    ]
    write_log(table(rows), folder)
    log = open_log(folder)
    return again_of(log, read_history(log, until=START + 2 * DAY))


@pytest.mark.parametrize(
    ("at", "back", "known", "again"),
    [
        (2 * DAY, HOUR, True, True),
        (2 * DAY, None, True, False),
        (2 * DAY, 60 * DAY - HOUR, True, True),
        (2 * DAY, 60 * DAY, True, False),
        (1 * DAY, HOUR, True, True),
        (1 * DAY - HOUR, HOUR, False, False),
        (91 * DAY - HOUR, HOUR, True, True),
        (91 * DAY, HOUR, False, False),
    ],
)
def test_a_buyer_cancels_again_if_an_order_of_the_90_days_after_loses_a_line_within_60(
    tmp_path: Path, at: timedelta, back: timedelta | None, known: bool, again: bool
) -> None:
    found = outcome(tmp_path, order("next", at, back=back))
    assert (found.known.tolist(), found.again.tolist()) == ([known], [again])


def test_nothing_is_known_where_the_log_ends_too_soon(tmp_path: Path) -> None:
    found = outcome(tmp_path, order("next", 2 * DAY, back=HOUR), end=END - HOUR)
    assert [column.tolist() for column in (found.complete, found.known, found.again)] == [[False]] * 3


def test_as_many_requests_as_are_refunded_are_chosen_by_the_size_of_the_order_alone() -> None:
    known = np.array([True, True, True, False])
    again = Again(known, known, np.array([True, False, False, False]), np.array([1.0, 3.0, 2.0, 1.0]))
    counted = dict(again.counted(np.ones(4, bool), np.array([False, True, True, True])))
    assert counted["told_auto"].tolist() == [False, True, True, False]
    assert counted["told_small"].tolist() == [True, False, True, False]
    assert counted["again_small"].tolist() == [True, False, False, False]
