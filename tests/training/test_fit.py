from __future__ import annotations

import numpy as np
import pytest

from tests.models.conftest import new_score, rows
from training.dataset import Dataset
from training.fit import recalibrate


@pytest.mark.parametrize(("keep", "moves"), [(1.0, False), (0.25, True)])
def test_a_score_is_moved_to_a_new_base_rate_only_where_it_moved(keep: float, moves: bool) -> None:
    score = new_score().fit(*rows(4000))
    X, y = rows(4000, seed=1)
    kept = (y == 0) | (np.random.default_rng(0).random(len(y)) < keep)
    newer = Dataset(X[kept], y[kept], np.flatnonzero(kept), np.zeros(kept.sum(), dtype=np.int64))
    moved, found = recalibrate(score, newer)
    assert found.moved is moves
    before, after = (s.predict_proba(newer.X)[:, 1] for s in (score, moved))
    assert np.array_equal(np.argsort(before, kind="stable"), np.argsort(after, kind="stable"))
    assert after.mean() == pytest.approx(newer.y.mean(), rel=0.1)
    assert (before.mean() == after.mean()) is not moves
    assert moved.booster_ is score.booster_
