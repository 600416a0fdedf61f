from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.estimator_checks import check_estimator

from models import trees
from models.buyer_score import BuyerScore, once_each

from .conftest import DIRECTIONS, NAMES, new_score, rows

VECTORS = st.lists(st.one_of(st.floats(-4, 4), st.just(float("nan"))), min_size=5, max_size=5)


def table(vector: list[float]) -> pd.DataFrame:
    return pd.DataFrame([vector], columns=list(NAMES))


def test_scikit_learns_own_checks_pass() -> None:
    results = check_estimator(BuyerScore(max_trees=60), on_fail=None, on_skip=None)
    failed = [r["check_name"] for r in results if r["status"] not in {"passed", "skipped"}]
    skipped = [r["check_name"] for r in results if r["status"] == "skipped"]
    assert failed == []
    assert skipped in ([], ["check_array_api_input"])  # the array API needs an environment variable of SciPy


@settings(max_examples=60, deadline=None)
@given(vector=VECTORS, name=st.sampled_from(sorted(DIRECTIONS)), more=st.floats(0.01, 5))
def test_more_of_what_is_worse_never_lowers_the_probability(
    fitted: BuyerScore, vector: list[float], name: str, more: float
) -> None:
    at = NAMES.index(name)
    if np.isnan(vector[at]):
        return
    raised = [*vector]
    raised[at] += more
    before, after = (fitted.predict_proba(table(v))[0, 1] for v in (vector, raised))
    assert (after - before) * DIRECTIONS[name] >= 0


def test_the_constraints_are_what_keeps_it_monotone() -> None:
    X, y = rows()
    backwards = new_score(monotone={"refunds": -1}).fit(X, y)
    low, high = (backwards.predict_proba(table([v, 0, 0, 0, 0]))[0, 1] for v in (-3.0, 3.0))
    assert high <= low


@settings(max_examples=40, deadline=None)
@given(vector=VECTORS)
def test_contributions_and_reasons_add_up_to_the_raw_score(fitted: BuyerScore, vector: list[float]) -> None:
    contributions = fitted.contributions(table(vector))
    margin = fitted.raw_margin(table(vector))[0]
    assert contributions.sum() == pytest.approx(margin, abs=1e-9)
    told = fitted.reasons(table(vector), limit=None)[0]
    assert sum(r.contribution for r in told) + contributions[0, -1] == pytest.approx(margin, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(vector=VECTORS)
def test_one_vector_scores_the_same_bytes_as_a_table(fitted: BuyerScore, vector: list[float]) -> None:
    one = fitted.assess(np.array(vector))
    assert one.margin == fitted.raw_margin(table(vector))[0]
    assert one.p_abuse == fitted.predict_proba(table(vector))[0, 1]
    assert one.points == fitted.points(table(vector))[0]


def test_the_better_probability_always_has_more_points(fitted: BuyerScore) -> None:
    X, _ = rows(seed=1)
    p, points = fitted.predict_proba(X)[:, 1], fitted.points(X)
    order = np.argsort(p)
    assert np.all((np.diff(points[order]) < 0) == (np.diff(p[order]) > 0))
    assert 300 < points.min() < points.max() < 900


def test_the_probabilities_are_about_as_large_as_the_outcome_is_frequent(fitted: BuyerScore) -> None:
    X, y = rows(6000, seed=2)
    assert fitted.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.25)


def test_a_saved_score_answers_with_the_same_bytes(fitted: BuyerScore, tmp_path: Path) -> None:
    X, _ = rows(seed=3)
    fitted.save(tmp_path)
    loaded = BuyerScore.load(tmp_path)
    assert loaded.predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()
    assert loaded.contributions(X[:50]).tobytes() == fitted.contributions(X[:50]).tobytes()
    assert loaded.reasons(X[:20]) == fitted.reasons(X[:20])
    assert loaded.get_params() == fitted.get_params()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["buyer_score.json", "trees.txt"]


def test_files_of_another_format_are_refused_by_name(fitted: BuyerScore, tmp_path: Path) -> None:
    fitted.save(tmp_path)
    kept = tmp_path / "buyer_score.json"
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"format": 99}))
    with pytest.raises(ValueError, match="format 99"):
        BuyerScore.load(tmp_path)


def test_the_same_data_and_seed_give_the_same_trees_on_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    X, y = rows(600)
    alone, other = (new_score(max_trees=8, n_folds=2, random_state=s).fit(X, y) for s in (0, 1))
    monkeypatch.setattr(trees, "threads", lambda _: 2)
    together = new_score(max_trees=8, n_folds=2).fit(X, y)
    assert _trees_only(together.booster_) == _trees_only(alone.booster_) != _trees_only(other.booster_)
    assert together.calibrator_ == alone.calibrator_


def _trees_only(booster: lgb.Booster) -> str:
    return re.sub(r"\[num_threads: \d+\]", "", booster.model_to_string())


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0] * 40, r"one class only: rows by label \{0: 40\}"),
        ([0] * 39 + [1], r"two rows of each class.*\{0: 39, 1: 1\}"),
        ([0] * 20 + [1] * 10 + [2] * 10, "Only binary classification"),
    ],
)
def test_labels_that_cannot_be_learned_from_are_refused_with_their_counts(y: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BuyerScore().fit(np.arange(80.0).reshape(40, 2), y)


def test_a_buyer_with_many_rows_weighs_as_much_as_one_with_a_single_row() -> None:
    X, y = rows(600)
    thrice = np.repeat(np.arange(len(y)), np.where(np.arange(len(y)) < 300, 5, 1))
    totals = np.bincount(thrice, weights=once_each(thrice))
    assert totals.min() == pytest.approx(totals.max())
    assert once_each(thrice).mean() == pytest.approx(1.0)
    weighed, plain = (
        new_score(max_trees=8, weigh_groups=w).fit(X.iloc[thrice], y[thrice], groups=thrice)
        for w in (True, False)
    )
    assert _trees_only(weighed.booster_) != _trees_only(plain.booster_)


def test_a_direction_for_a_column_that_is_not_there_is_named() -> None:
    X, y = rows()
    with pytest.raises(ValueError, match="no column of X: refnuds"):
        new_score(monotone={"refnuds": 1}).fit(X, y)


def test_columns_constant_or_all_missing_do_no_harm() -> None:
    X, y = rows()
    odd = X.assign(noise=np.nan, visits=1.0)
    assert np.all(np.isfinite(new_score().fit(odd, y).predict_proba(odd)))


def test_reasons_are_strongest_first_in_both_languages(fitted: BuyerScore) -> None:
    told = fitted.explain(np.array([4.0, -3.0, 0.0, 2.0, 0.0]))
    sizes = [abs(r.contribution) for r in told]
    assert sizes == sorted(sizes, reverse=True)
    assert (told[0].code, dict(told[0].text)) == ("refunds", {"zh": "退款", "en": "Refunds"})
    assert told[0].contribution > 0


def test_many_threads_score_alike(fitted: BuyerScore) -> None:
    X, _ = rows(200, seed=4)
    vectors = X.to_numpy()
    expected = [fitted.assess(v) for v in vectors]
    found: list[list[object]] = [[] for _ in range(4)]

    def work(into: list[object]) -> None:
        into.extend(fitted.assess(v) for v in vectors)

    threads = [threading.Thread(target=work, args=(into,)) for into in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(answers == expected for answers in found)
