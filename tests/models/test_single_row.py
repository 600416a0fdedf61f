"""One row at a time against LightGBM's own predict: the same bits, the same contributions."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.buyer_score import BuyerScore
from models.fast_shap import FastShap
from models.single_row import SingleRow

from .conftest import NAMES, new_score, rows

WIDE = {
    "objective": "binary",
    "num_leaves": 31,
    "min_data_in_leaf": 5,
    "deterministic": True,
    "num_threads": 1,
}
QUIET = {"verbosity": -1, "seed": 3}
KINDS: dict[str, dict[str, Any]] = {
    "wide": {},
    "monotone": {"monotone_constraints": [1, -1, 0, 1, 0]},
    "zero is missing": {"zero_as_missing": True},
    "nothing is missing": {"use_missing": False},
    "stumps": {"num_leaves": 2},
    "smoothed and bagged": {"path_smooth": 2.0, "bagging_fraction": 0.5, "bagging_freq": 1},
    "no split": {"min_data_in_leaf": 5_000},
}
LEFT_TO_LIGHTGBM: dict[str, dict[str, Any]] = {
    "categorical": {"categorical_feature": [2], "min_data_per_group": 1, "cat_smooth": 0.1, "cat_l2": 0.1},
    "linear leaves": {"linear_tree": True},
    "averaged": {"boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1},
}


def grown(n_trees: int = 40, **said: Any) -> lgb.Booster:
    X, y = rows(900, seed=8)
    values = X.to_numpy().copy()
    values[:, 2] = np.abs(np.nan_to_num(values[:, 2])).round()
    values[::7, 4] = 0.0
    params = WIDE | QUIET | said
    data = lgb.Dataset(values, label=y, params=params | {"feature_pre_filter": False})
    return lgb.train(params, data, num_boost_round=n_trees)


BOOSTERS = {kind: grown(**said) for kind, said in KINDS.items()}
READY = {kind: SingleRow(booster) for kind, booster in BOOSTERS.items()}
EDGES = sorted({float(t) for b in BOOSTERS.values() for t in b.trees_to_dataframe()["threshold"].dropna()})
ZERO = float(np.float32(1e-35))
ODD = (np.nan, np.inf, -np.inf, 0.0, -0.0, ZERO, -ZERO, 1e-35, -1e-35, 1e-36, 5e-324, 1.7e308, -1.7e308)
VALUES = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(EDGES),
    st.sampled_from(EDGES).map(lambda t: float(np.nextafter(t, np.inf))),
    st.floats(-4, 4),
    st.floats(),
)
VECTORS = st.lists(VALUES, min_size=len(NAMES), max_size=len(NAMES)).map(np.array)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, deadline=None)
@given(vector=VECTORS)
def test_a_row_has_the_bits_of_the_margin_and_the_contributions_of_a_table(
    kind: str, vector: np.ndarray
) -> None:
    booster, one = BOOSTERS[kind], READY[kind]
    assert one.margin(vector) == booster.predict(vector.reshape(1, -1), raw_score=True)[0]
    wanted = booster.predict(vector.reshape(1, -1), pred_contrib=True)[0]
    np.testing.assert_allclose(one.contributions(vector), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("odd", [*ODD, np.nextafter(ZERO, 1), np.nextafter(-ZERO, -1)])
def test_a_value_at_the_edge_of_zero_or_beyond_all_others_goes_where_lightgbm_sends_it(
    kind: str, odd: float
) -> None:
    rest = np.array([0.3, -1.0, 1.0, np.nan, 0.2])
    asked = np.vstack([np.where(np.arange(5) == column, odd, rest) for column in range(5)])
    found = np.array([READY[kind].contributions(vector) for vector in asked])
    wanted = BOOSTERS[kind].predict(asked, pred_contrib=True)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_these_trees_are_explained_without_lightgbm(kind: str) -> None:
    assert FastShap.of(BOOSTERS[kind]) is not None


@pytest.mark.parametrize("kind", LEFT_TO_LIGHTGBM)
@pytest.mark.filterwarnings("ignore")
def test_trees_that_the_tables_cannot_say_are_left_to_lightgbm(kind: str) -> None:
    booster = grown(20, **LEFT_TO_LIGHTGBM[kind])
    vector = np.array([0.3, -1.0, 2.0, np.nan, 0.0])
    assert FastShap.of(booster) is None
    one = SingleRow(booster)
    assert one.margin(vector) == booster.predict(vector.reshape(1, -1), raw_score=True)[0]
    if kind != "linear leaves":  # which LightGBM cannot explain either
        wanted = booster.predict(vector.reshape(1, -1), pred_contrib=True)[0]
        assert one.contributions(vector).tobytes() == wanted.tobytes()


@pytest.mark.parametrize("n_trees", [1, 300])
def test_rounding_stays_small_however_many_trees(n_trees: int) -> None:
    booster = grown(n_trees)
    one, X = SingleRow(booster), rows(60, seed=9)[0].to_numpy()
    wanted = booster.predict(X, pred_contrib=True)
    found = np.array([one.contributions(x) for x in X])
    assert np.abs(found - wanted).max() < 1e-12
    assert [one.margin(x) for x in X] == booster.predict(X, raw_score=True).tolist()


@pytest.mark.parametrize("length", [0, 4, 6])
def test_a_vector_of_another_length_is_refused_and_not_read_past_its_end(length: int) -> None:
    for ask in (READY["wide"].margin, READY["wide"].contributions):
        with pytest.raises(ValueError, match=rf"shape \({length},\), the model 5"):
            ask(np.zeros(length))


def test_a_row_that_is_not_contiguous_or_not_of_doubles_is_read_as_it_is() -> None:
    vector = np.arange(10.0)[::2]
    for given_ in (vector, vector.astype(np.int64), vector.tolist()):
        assert READY["wide"].margin(given_) == READY["wide"].margin(vector.copy())
        assert READY["wide"].contributions(given_).tolist() == READY["wide"].contributions(vector).tolist()


def test_threads_that_ask_at_once_get_their_own_answers() -> None:
    score = new_score().fit(*rows(seed=11))
    vectors = rows(300, seed=12)[0].to_numpy()
    margins = score.raw_margin(rows(300, seed=12)[0])
    wanted = score.contributions(rows(300, seed=12)[0])
    start, wrong = threading.Barrier(2), []

    def work(order: slice) -> None:
        start.wait()  # both make the single row at once
        for _ in range(3):
            for i in range(len(vectors))[order]:
                told = sum(r.contribution for r in score.explain(vectors[i], limit=None))
                if score.assess(vectors[i]).margin != margins[i]:
                    wrong.append(i)
                if abs(told - wanted[i, :-1].sum()) > 1e-9:
                    wrong.append(i)

    both = [threading.Thread(target=work, args=(slice(None, None, step),)) for step in (1, -1)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert wrong == []


def test_what_is_bound_to_this_process_is_left_out_of_copies_and_made_again(fitted: BuyerScore) -> None:
    vector = np.array([1.0, np.nan, 0.0, 2.0, -1.0])
    wanted, told = fitted.assess(vector), fitted.explain(vector)
    for other in (pickle.loads(pickle.dumps(fitted)), copy.deepcopy(fitted), copy.copy(fitted)):
        assert not any(isinstance(value, SingleRow) for value in vars(other).values())
        assert (other.assess(vector), other.explain(vector)) == (wanted, told)


def test_after_another_fit_the_new_trees_answer() -> None:
    score, (X, y) = new_score(), rows(400, seed=13)
    vector = X.to_numpy()[0]
    before = score.fit(X, y).assess(vector)
    after = score.fit(X, 1 - y).assess(vector)
    assert after.margin == score.raw_margin(X[:1])[0] != before.margin


WITHOUT_NUMBA = """
import json, sys
sys.modules["numba"] = None
import numpy as np
from pathlib import Path
from models.buyer_score import BuyerScore
score, vector = BuyerScore.load(Path(sys.argv[1])), np.array([4.0, -3.0, np.nan, 2.0, 0.0])
told = [[r.code, r.contribution] for r in score.explain(vector)]
print(json.dumps([score.assess(vector).margin, told]))
"""


def test_without_numba_a_score_answers_and_explains_all_the_same(fitted: BuyerScore, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    command = [sys.executable, "-c", WITHOUT_NUMBA, str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    vector = np.array([4.0, -3.0, np.nan, 2.0, 0.0])
    margin, told = json.loads(done.stdout)
    assert margin == fitted.assess(vector).margin
    assert [code for code, _ in told] == [r.code for r in fitted.explain(vector)]
    assert [effect for _, effect in told] == pytest.approx(
        [r.contribution for r in fitted.explain(vector)], abs=1e-12
    )
