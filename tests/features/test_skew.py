from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from features.catalog import CATALOG, REASONS
from features.compile import Catalog
from features.declare import Windowed
from features.skew import ALTERED, LATE, LOST, UNEXPLAINED, causes_of, in_columns_of, meanings, unequal

NAN = float("nan")
ONE_BIT = np.nextafter(0.1, 1)


@pytest.mark.parametrize(
    ("left", "right", "differ"),
    [(1.0, 1.0, False), (NAN, NAN, False), (NAN, 0.0, True), (0.0, -0.0, True), (0.1, ONE_BIT, True)],
)
def test_values_are_compared_bit_for_bit(left: float, right: float, differ: bool) -> None:
    assert unequal(np.array([left]), np.array([right])).tolist() == [differ]


def test_a_payload_in_a_nan_is_no_difference() -> None:
    odd = np.array([0x7FF8000000000001], np.int64).view(np.float64)
    assert not unequal(odd, np.array([NAN])).any()


@pytest.mark.parametrize(
    ("stored", "offline", "steps", "expected"),
    [
        ([1, 2], [1, 2], [], {}),
        ([1, 2], [1, 3], [], {1: [UNEXPLAINED]}),
        ([1, 2], [1, 3], [(LATE, [1, 2])], {1: [LATE]}),
        ([1, 2], [1, 3], [(LATE, [1, 4])], {1: [UNEXPLAINED]}),
        (
            [1, 2],
            [0, 5],
            [(ALTERED, [1, 5]), (LOST, [1, 6]), (LATE, [1, 2])],
            {0: [ALTERED], 1: [LOST, LATE]},
        ),
        ([1, 2], [0, 2], [(LOST, [1, 7])], {0: [LOST]}),
        ([1, NAN], [1, 3], [(LATE, [1, NAN])], {1: [LATE]}),
    ],
)
def test_a_cause_counts_where_undoing_it_leads_to_the_stored_value(
    stored: list[float],
    offline: list[float],
    steps: list[tuple[str, list[float]]],
    expected: dict[int, list[str]],
) -> None:
    undone = [(cause, np.array(values, np.float64)) for cause, values in steps]
    found = causes_of(np.array(stored, np.float64), np.array(offline, np.float64), undone)
    assert found == expected


def test_every_column_has_a_meaning_of_its_own_that_does_not_hang_on_other_windows() -> None:
    found = meanings(CATALOG)
    assert [name for name, _ in found] == list(CATALOG.names)
    assert len({meaning for _, meaning in found}) == CATALOG.n_features
    family = next(f for f in CATALOG.families if isinstance(f, Windowed) and len(f.windows) > 1)
    shorter = Catalog([dataclasses.replace(family, windows=family.windows[1:])], reasons=REASONS)
    assert set(meanings(shorter)) < set(found)
    renamed = Catalog([dataclasses.replace(family, zh="别", en="other words")], reasons=REASONS)
    assert set(meanings(renamed)) < set(found)


def test_vectors_of_another_catalog_are_laid_into_these_columns() -> None:
    vectors = np.array([[1.0, 2.0, 3.0]])
    before = [("gone", "m0"), ("changed", "old"), ("kept", "m2")]
    now = [("kept", "m2"), ("new", "m3"), ("changed", "other")]
    laid, comparable = in_columns_of(vectors, before, now)
    assert laid[0, 0] == 3.0
    assert np.isnan(laid[0, 1:]).all()
    assert comparable.tolist() == [True, False, False]
