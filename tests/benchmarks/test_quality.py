"""The quality benchmark's own logic: joint draws, cells, what the oracle may know, verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks import quality, quality_cells, quality_data
from benchmarks.quality_automl import BuyerFolds, processor_time
from benchmarks.quality_bars import Bar, bars
from benchmarks.quality_cells import cell_key, cell_path, computed, kept, rows_hash
from benchmarks.quality_curves import blanked, by_reason, of_each, share_of_buyers
from benchmarks.quality_data import Trial
from benchmarks.quality_measures import MEAN, Drawn, Judged, draw, together
from benchmarks.quality_methods import PLAIN
from benchmarks.quality_oracle import hidden_so_far
from benchmarks.quality_page import put_between
from features.catalog import CATALOG
from training.dataset import Dataset, Newer
from training.evaluate import Interval, bootstrap_weights
from training.labels import AbuseLabel
from training.log import micros, training_log

from ..training.events import market

AT = datetime(2026, 6, 1, tzinfo=UTC)


def judged(seed: int, snapshot: str, *, buyers: int = 40) -> Judged:
    """Draw labels and the scores of two methods; buyers overlap between snapshots."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, buyers)
    good, bad = y + rng.normal(size=buyers), rng.normal(size=buyers)
    return Judged(snapshot, y, np.arange(buyers) + 10 * seed, {"ours": good, "other": bad})


@pytest.mark.parametrize(
    ("measure", "direct"), [("roc_auc", roc_auc_score), ("average_precision", average_precision_score)]
)
def test_a_draw_of_the_mean_is_the_mean_over_snapshots_of_one_draw_of_buyers(
    measure: str, direct: Callable[..., float]
) -> None:
    parts = [judged(0, "a"), judged(1, "b"), judged(2, "c")]
    drawn = draw("data", parts, seed=3, n_draws=5)
    buyers = np.unique(np.concatenate([rows.buyer for rows in parts]))
    weights = [np.ones(len(buyers)), *bootstrap_weights(buyers, n_draws=5, seed=3)]
    for k, weight in enumerate(weights):
        times = dict(zip(buyers, weight.astype(int), strict=True))
        each = []
        for rows in parts:
            again = np.repeat(np.arange(len(rows.y)), [times[b] for b in rows.buyer])
            each.append(direct(rows.y[again], rows.scores["ours"][again]))
        assert drawn.values[MEAN, "ours", measure][k] == pytest.approx(np.mean(each), abs=1e-12)


def test_a_method_is_never_ahead_of_itself_on_any_draw() -> None:
    rows = judged(0, "a")
    same = Judged("a", rows.y, rows.buyer, {"ours": rows.scores["ours"], "twin": rows.scores["ours"]})
    assert draw("data", [same], seed=0, n_draws=20).ahead("ours", "twin", "roc_auc") == Interval(0, 0, 0)


def test_the_interval_of_a_difference_is_narrower_than_that_of_unpaired_methods() -> None:
    rng = np.random.default_rng(0)
    rows = judged(0, "a", buyers=400)
    near = rows.scores["ours"] + 0.05 * rng.normal(size=400)
    drawn = draw("d", [Judged("a", rows.y, rows.buyer, {"ours": rows.scores["ours"], "near": near})], seed=0)
    alone, gap = drawn.of("ours", "roc_auc"), drawn.ahead("ours", "near", "roc_auc")
    assert gap.high - gap.low < 0.3 * (alone.high - alone.low)


def test_data_sets_of_other_people_are_averaged_draw_by_draw() -> None:
    parts = [draw(name, [judged(i, "a")], seed=i, n_draws=4) for i, name in enumerate(("one", "two"))]
    both = together("both", parts)
    by_hand = [np.mean([p.values[MEAN, "ours", "roc_auc"][k] for p in parts]) for k in range(5)]
    assert both.values[MEAN, "ours", "roc_auc"].tolist() == by_hand
    assert both.snapshots == ("one", "two")


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(quality_cells, "FOLDER", tmp_path)
    return small_trial()


def small_trial(**changed: Any) -> Trial:
    X = pd.DataFrame({name: np.arange(4.0) for name in CATALOG.names})
    y, buyer = np.array([0, 1, 0, 1]), np.array([1, 1, 2, 3])
    as_of = np.full(4, micros(AT))
    rows = Dataset(X, y, buyer, as_of)
    log = training_log(market(n_buyers=3, n_days=30))
    return Trial("data", log, AbuseLabel(), **({"train": rows, "test": rows} | changed))


def test_a_cell_has_another_name_for_another_method_row_or_setting(trial: Trial) -> None:
    rows = rows_hash(trial, PLAIN)
    given = cell_key("automl-plain", rows=rows, settings={"minutes": 10, "seed": 0})
    assert cell_key("automl-plain", rows=rows, settings={"seed": 0, "minutes": 10}) == given
    others = [
        cell_key("automl-ours", rows=rows, settings={"minutes": 10, "seed": 0}),
        cell_key("automl-plain", rows=rows, settings={"minutes": 9, "seed": 0}),
        cell_key("automl-plain", rows=rows_hash(trial, PLAIN[1:]), settings={"minutes": 10, "seed": 0}),
    ]
    assert len({given, *others}) == 4


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize(("column", "counts"), [(PLAIN[0], True), ("disputes_count_life", False)])
def test_only_the_columns_that_a_method_reads_name_its_cell(part: str, column: str, counts: bool) -> None:
    before = small_trial()
    rows: Dataset = getattr(before, part)
    other = Dataset(rows.X.assign(**{column: 9.0}), rows.y, rows.buyer, rows.as_of)
    after = small_trial(**{part: other})
    assert (rows_hash(before, PLAIN) != rows_hash(after, PLAIN)) is counts


def test_another_label_names_another_cell() -> None:
    rows = small_trial().train
    other = Dataset(rows.X, 1 - rows.y, rows.buyer, rows.as_of)
    assert rows_hash(small_trial(), ()) != rows_hash(small_trial(train=other), ())


def test_a_cell_is_worked_out_once_and_kept_to_the_bit(trial: Trial) -> None:
    path, p = cell_path(trial, "ours", "k"), np.array([0.1, 1 / 3])
    first = computed(path, lambda: (p, {"learner": "lgbm"}))
    again = computed(path, lambda: pytest.fail("asked again"))
    assert again.p.tobytes() == p.tobytes()
    assert again.notes == first.notes == {"learner": "lgbm"}


def test_a_cell_that_dies_leaves_nothing(trial: Trial) -> None:
    path = cell_path(trial, "ours", "k")
    with pytest.raises(RuntimeError):
        computed(path, _dies)
    assert kept(path) is None
    assert list(quality_cells.FOLDER.rglob("*.npz")) == []


def _dies() -> Any:
    raise RuntimeError("killed")


def truth(**changed: datetime | None) -> pa.Table:
    """Six people: two honest, a farm of two and two sleepers, one of whom begins later."""
    starts = {"f1": AT - timedelta(days=30), "f2": AT - timedelta(days=5), "s1": AT - timedelta(days=9)}
    starts |= {"s2": AT + timedelta(days=1)} | {k: v for k, v in changed.items() if v}
    ends = {"s1": AT - timedelta(days=2), "f1": AT + timedelta(days=50)}
    ids = ["h1", "h2", "f1", "f2", "s1", "s2"]
    kind = ["ordinary", "indecisive", "account_farm", "account_farm", "sleeper", "sleeper"]
    when = pa.timestamp("us", "UTC")
    return pa.table(
        {
            "buyer_id": ids,
            "archetype": kind,
            "is_abuser": [name[0] != "h" for name in ids],
            "abuse_starts_at": pa.array([starts.get(name) for name in ids], when),
            "abuse_ends_at": pa.array([ends.get(name) for name in ids], when),
            "group_id": [None, None, "g1", "g1", None, None],
        }
    )


def hidden(who: str, *, begun: bool = False, **changed: datetime | None) -> dict[str, float]:
    """Tell the oracle's columns of one buyer, without their prefix."""
    row = hidden_so_far(truth(**changed), [who], np.array([micros(AT)]), begun=begun).iloc[0]
    return {str(name).removeprefix("hidden_"): value for name, value in row.items()}


def test_the_oracle_knows_who_an_abuser_is_and_what_was_done_so_far() -> None:
    found = hidden("f1")
    assert found["account_farm active"] == 1
    assert found["days_since_start"] == 30
    assert np.isnan(found["days_since_end"])
    assert found["group_active"] == 2
    assert hidden("s1")["sleeper over"] == 1
    assert hidden("s1")["days_since_end"] == 2


@pytest.mark.parametrize("begun", [False, True])
def test_the_oracle_does_not_know_when_a_dormant_abuser_will_begin(begun: bool) -> None:
    tomorrow = hidden("s2", begun=begun)
    in_a_year = hidden("s2", begun=begun, s2=AT + timedelta(days=365))
    assert pd.Series(tomorrow).equals(pd.Series(in_a_year))


def test_an_abuse_that_begins_at_the_very_instant_is_not_known_and_just_before_it_is() -> None:
    assert hidden("s2", s2=AT)["sleeper dormant"] == 1
    assert hidden("s2", s2=AT - timedelta(microseconds=1))["sleeper active"] == 1


def test_the_oracle_of_what_has_begun_takes_a_dormant_abuser_for_an_ordinary_buyer() -> None:
    assert pd.Series(hidden("s2", begun=True)).equals(pd.Series(hidden("h1", begun=True)))
    assert hidden("s2")["sleeper dormant"] == 1


def test_every_row_is_in_one_state() -> None:
    table = hidden_so_far(truth(), ["h1", "h2", "f1", "f2", "s1", "s2"], np.full(6, micros(AT)))
    states = [name for name in table.columns if "days" not in name and "active" not in name.split("_")]
    rows = table[[n for n in states if n not in ("hidden_is_active", "hidden_group_active")]]
    assert (rows.sum(axis=1) == 1).all()


def test_folds_of_the_search_keep_buyers_whole_and_have_positives_everywhere() -> None:
    buyer = np.repeat(np.arange(60), 3)
    y = np.isin(buyer, np.arange(12)).astype(np.int64)
    for train, valid in BuyerFolds(y, buyer, seed=0).split(None):
        assert not set(buyer[train]) & set(buyer[valid])
        assert y[valid].sum() > 0


def test_waiting_costs_the_search_no_time() -> None:
    with processor_time(1):
        began = time.time()
        time.sleep(0.2)
        waited = time.time() - began
    assert waited < 0.1


@pytest.mark.parametrize(
    ("value", "limit", "met"),
    [(0.02, 0.02, True), (0.0199, 0.02, False), (0.0, 0.0, False), (0.0001, 0.0, True), (-0.1, 0.0, False)],
)
def test_a_bar_is_met_at_its_limit_and_ahead_means_more_than_equal(
    value: float, limit: float, met: bool
) -> None:
    assert Bar("words", Interval(value, -1, 1), limit).met is met


@pytest.mark.parametrize(
    ("low", "verdict"),
    [(0.02, "met"), (0.0199, "met, interval reaches below"), (-0.1, "met, interval reaches below")],
)
def test_a_verdict_says_when_the_interval_reaches_below_the_limit(low: float, verdict: str) -> None:
    assert Bar("words", Interval(0.03, low, 0.2), 0.02).verdict == verdict
    assert Bar("words", Interval(0.01, low, 0.2), 0.02).verdict == "NOT MET"


def test_the_lead_is_taken_over_the_best_simple_method() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    noise = rng.normal(size=300)
    scores = {"ours": y + noise, "rate": noise, "logistic": 0.8 * y + noise, "scorecard": 0.9 * y + noise}
    drawn: Drawn = draw("real", [Judged("a", y, np.arange(300), scores)], seed=0, n_draws=10)
    lead = [bar.words for bar in bars(drawn, None) if "simple" in bar.words]
    assert lead[0].endswith("plain features (logistic)")
    assert lead[1].endswith("any features (scorecard)")


def test_a_share_of_the_buyers_keeps_all_rows_of_each() -> None:
    rows = small_trial().train
    part = share_of_buyers(rows, 0.67, seed=1)
    assert len(np.unique(part.buyer)) == 2
    assert all((rows.buyer == b).sum() == (part.buyer == b).sum() for b in np.unique(part.buyer))
    assert len(share_of_buyers(rows, 1.0, seed=1)) == len(rows)


def test_rows_of_shorter_windows_are_cut_and_blanked_like_the_others() -> None:
    rows = small_trial().train
    rows = replace(rows, newer=(Newer(rows, timedelta(days=60)),))
    part = share_of_buyers(rows, 0.67, seed=1)
    assert [set(one.rows.buyer) for one in part.newer] == [set(part.buyer)]
    assert len(share_of_buyers(rows, 1.0, seed=1).newer[0].rows) == len(rows)
    gone = of_each(rows, lambda one: blanked(one, CATALOG.names[:2]))
    for X in (gone.X, gone.newer[0].rows.X):
        assert X[list(CATALOG.names[:2])].isna().all(axis=None)
        assert X.iloc[:, 2:].equals(rows.X.iloc[:, 2:])


def test_the_families_of_the_ablation_are_all_columns_once() -> None:
    assert sorted(n for names in by_reason().values() for n in names) == sorted(CATALOG.names)


def test_fifteen_plain_features() -> None:
    assert len(set(PLAIN) & set(CATALOG.names)) == 15


def test_without_the_shared_file_real_data_is_skipped_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUYER_TIER_SHARED", str(tmp_path))
    assert list(quality.datasets("real")) == []
    said = capsys.readouterr().err
    assert "online-retail-ii is skipped" in said
    assert str(quality_data.RETAIL_FILE) in said


def test_tables_replace_those_of_the_page_and_nothing_else() -> None:
    page = "before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n"
    once = put_between(page, "figures", "new\n")
    assert once == "before\n<!-- figures -->\nnew\n<!-- end of figures -->\nafter\n"
    assert put_between(once, "figures", "new\n") == once
    with pytest.raises(SystemExit, match="lacks the marks"):
        put_between("before", "figures", "new")
