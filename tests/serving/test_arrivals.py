from __future__ import annotations

import json

import numpy as np
import pytest

from serving.arrivals import BEFORE, NEVER, visible
from tests.serving.deciding import run


@pytest.mark.parametrize("seen", ["10:10:", "10:20:", "10:20:10,12,19", "1:1:", "5:6:5"])
def test_a_snapshot_is_read_as_postgresql_reads_it(url: str, seen: str) -> None:
    transactions = list(range(1, 25))
    query = "SELECT pg_visible_in_snapshot(x::text::xid8, $1::text::pg_snapshot) FROM unnest($2::int[]) AS x"
    expected = [row[0] for row in run(url, query, seen, transactions)]
    assert visible(np.array(transactions, dtype=np.int64), seen).tolist() == expected


def test_what_was_there_before_arrivals_is_seen_and_what_never_came_is_not() -> None:
    assert visible(np.array([BEFORE, NEVER]), "10:20:12").tolist() == [True, False]


def test_what_is_no_snapshot_is_a_fault() -> None:
    with pytest.raises(ValueError, match="not a snapshot"):
        visible(np.array([1]), json.dumps("now"))
