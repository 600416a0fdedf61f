from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from features.catalog import CATALOG
from models.buyer_score import MANY, BuyerScore
from models.deciding.many import buyer_evidences
from models.evidence import buyer_evidence
from tests.backtest.scenes import small_score

VALUES = st.one_of(
    st.just(float("nan")), st.integers(0, 40).map(float), st.floats(-1e6, 1e6, allow_nan=False)
)
ROWS = arrays(
    np.float64,
    st.tuples(st.sampled_from([0, 1, 5, MANY - 1, MANY]), st.just(CATALOG.n_features)),
    elements=VALUES,
)


@pytest.fixture(scope="module")
def score() -> BuyerScore:
    return small_score()


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_many_vectors_at_once_have_the_bits_of_one_at_a_time(score: BuyerScore, rows: np.ndarray) -> None:
    for name in ("orders_completed_count_life", "abuse_standing_distinct_life"):
        column = rows[:, CATALOG.index[name]]
        rows[:, CATALOG.index[name]] = np.abs(np.nan_to_num(column)).round()
    assert buyer_evidences(rows, score=score) == [buyer_evidence(row, score=score) for row in rows]
