from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.dataset import every_days, month_starts
from training.log import micros
from training.splits import NoMatureSnapshot, inner_folds, split_in_time

from .events import day

MATURITY = timedelta(days=120)
SNAPSHOTS = st.lists(st.integers(0, 900), max_size=25, unique=True)


@given(SNAPSHOTS, st.integers(0, 1000), st.integers(1, 4))
def test_nothing_is_learned_from_that_was_not_complete_before_the_first_judged_snapshot(
    days: list[int], end: int, n_test: int
) -> None:
    try:
        split = split_in_time([day(d) for d in days], known_until=day(end), maturity=MATURITY, n_test=n_test)
    except NoMatureSnapshot:
        assert not any(a + 240 <= b + 120 <= end for a in days for b in days)
        return
    assert max(split.train) + MATURITY <= min(split.test)
    assert max(split.test) + MATURITY <= day(end)
    assert all(t + MATURITY > day(end) for t in split.immature)
    assert 1 <= len(split.test) <= n_test


@pytest.mark.parametrize(("end", "mature"), [(240, True), (240 - 1e-9, False)])
def test_a_label_is_mature_on_the_very_day_and_not_before(end: float, mature: bool) -> None:
    snapshots = [day(0), day(120)]
    if mature:
        split = split_in_time(snapshots, known_until=day(end), maturity=MATURITY, n_test=2)
        assert (split.train, split.test) == ((day(0),), (day(120),))
    else:
        with pytest.raises(NoMatureSnapshot, match=f"train again from {day(240):%Y-%m-%d}"):
            split_in_time(snapshots, known_until=day(end), maturity=MATURITY, n_test=2)


@given(st.lists(st.tuples(st.integers(0, 40), st.booleans()), min_size=1, max_size=80), st.integers(2, 5))
def test_inner_folds_validate_on_what_came_after_the_labels_they_learn_from(
    rows: list[tuple[int, bool]], n_folds: int
) -> None:
    as_of = np.array([micros(day(30 * m)) for m, _ in rows])
    y = np.array([int(positive) for _, positive in rows])
    complete_at, judged = as_of + MATURITY // timedelta(microseconds=1), np.arange(len(y)) % 5 > 0
    found = inner_folds(as_of, y, complete_at=complete_at, judged=judged, n_folds=n_folds) or []
    for train, valid in found:
        assert complete_at[train].max() <= as_of[valid].min()
        assert judged[valid].all()
        assert {*y[train]} == {*y[valid]} == {0, 1}


def test_too_little_time_for_two_folds_is_said() -> None:
    as_of = np.array([micros(day(d)) for d in (0, 0, 120, 120)])
    complete_at, judged = as_of + MATURITY // timedelta(microseconds=1), np.ones(4, dtype=bool)
    y = np.array([0, 1, 0, 1])
    assert inner_folds(as_of, y, complete_at=complete_at, judged=judged, n_folds=3) is None


def test_months_start_at_midnight_utc_within_both_ends() -> None:
    assert [f"{t:%Y-%m-%dT%H:%M%z}" for t in month_starts(day(0), day(61))] == [
        "2026-03-01T00:00+0000",
        "2026-04-01T00:00+0000",
        "2026-05-01T00:00+0000",
    ]
    assert month_starts(day(0.5), day(30)) == []


def test_steps_are_counted_back_from_the_last() -> None:
    assert every_days(day(0), day(31), step_days=15) == [day(1), day(16), day(31)]
    assert every_days(day(1), day(0), step_days=15) == []
