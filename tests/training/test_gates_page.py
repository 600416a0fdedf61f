"""The page of a retraining is read by people who were never told what it is about."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
from markupsafe import escape

from decisions.policy import NOTICE
from training.drift import Moved
from training.evaluate import Interval
from training.gate_words import EXPLAINED, explained
from training.gates import Gate, Verdict, Views, swap_gate
from training.gates_page import gates_page
from training.judge import Judgement
from training.labels import AbuseLabel
from training.limits import Limits
from training.report import Rows, TrainingReport
from training.swap import SwapSet

RNG = np.random.default_rng(0)
P = RNG.beta(0.5, 20, 2000)
Y = (RNG.random(2000) < P).astype(np.int64)
SWAPPED = SwapSet(
    kept=900, gained=40, lost=25, gained_fen=123_400, lost_fen=5_600, gained_abusive=2, lost_abusive=7
)
GAPS = {
    "roc_auc": Interval(0.01, -0.01, 0.03),
    "average_precision": Interval(0.02, -0.02, 0.05),
    "loss_share": Interval(-0.0104, -0.0275, 0.0011),
}
REPORT = TrainingReport(
    task="abuse", tracking_uri="", experiment="", model_name="buyer-score", champion=False,
    catalog_version="c1", data_fingerprint="d1", git_commit=None,
    known_until=datetime(2026, 8, 29, tzinfo=UTC), seed=0,
    rows=Rows(9000, 80, 2000, int(Y.sum()), ("2026-03-01",), ("2026-04-01", "2026-05-01"), {}),
    metrics={"roc_auc": Interval(0.81, 0.7, 0.9), "average_precision": Interval(0.2, 0.1, 0.3)},
)  # fmt: skip
MOVED = (
    Moved("the score itself, in points", 0.9, (741.2, 738.9), (0.0, 0.0)),
    Moved("cancellations_count_30d", 0.31, (0.25, 0.75), (0.0, 0.0)),
    Moved("a_feature_of_an_older_catalog", 0.02, (5.0, float("nan")), (0.4, 1.0)),
)
PASSED = Gate(
    "drift", "today's buyers are like those learned from (PSI)", "0.01", "at most 0.25", Verdict.passed
)
FAILED = Gate("roc_auc", "it ranks as well (ROC-AUC)", "-0.3", "not below -0.02", Verdict.failed)


def page(*gates: Gate, serving: str | None = "3", comparable: bool = True, **changes: Any) -> str:
    case = SimpleNamespace(
        champion=SimpleNamespace(version=serving) if serving else None,
        lesson=SimpleNamespace(
            window=SimpleNamespace(complete_at=datetime(2026, 8, 29, tzinfo=UTC), key="k1"),
            judged=SimpleNamespace(y=Y),
            label=AbuseLabel(),
        ),
        policy=NOTICE,
        limits=Limits(),
    )
    views = Views(P, P < 0.02, 730.0)
    compared: dict[str, Any] = {"gaps": GAPS, "swapped": SWAPPED, "champion": Views(P / 2, P < 0.03, 730.0)}
    nobody: dict[str, Any] = {"gaps": {}, "swapped": None, "champion": None}
    judgement = Judgement(
        gates=gates, challenger=views, moved=MOVED, **(compared if serving and comparable else nobody)
    )
    return gates_page(case, judgement, replace(REPORT, **changes))  # type: ignore[arg-type]


def test_a_held_model_is_said_first_with_what_holds_it_and_what_a_person_may_do() -> None:
    told = page(PASSED, FAILED)
    first, rest = told[: told.index("<table")], told[told.index('<table class="gates"') :]
    assert "held: 1 check not passed, version 3 stays in charge" in first
    assert "版本 3 继续服务" in first
    assert f"“{FAILED.title}”: found {FAILED.figure}; allowed {FAILED.limit}" in first
    assert "models promote VERSION" in first
    assert rest.index(FAILED.title) < rest.index(str(escape(PASSED.title)))
    assert "Nothing is wrong with it" not in told


def test_a_promoted_model_says_whom_it_replaces_and_the_way_back() -> None:
    told = page(PASSED)
    assert "replaces version 3" in told
    assert "To go back to version 3: <code>buyer-tier models rollback" in told
    assert "not passed" not in told


def test_a_first_model_is_not_compared_and_the_page_says_so() -> None:
    told = page(PASSED, replace(FAILED, verdict=Verdict.open), serving=None)
    assert "The first buyer score takes charge" in told
    assert "1 passed, 1 could not be asked" in told
    assert "nothing can be compared" in told
    assert "gain it" not in told


def test_a_serving_model_of_other_features_is_there_but_cannot_be_compared_with() -> None:
    told = page(FAILED, comparable=False)
    assert "version 3 stays in charge" in told
    assert "The serving model reads other features, so nothing can be compared" in told
    assert "No model is in charge" not in told
    assert "The model scored 2,000 buyer-months" in told


def test_who_gains_and_who_loses_the_tier_is_a_table_with_its_yuan() -> None:
    told = page(PASSED)
    assert re.findall(r"<tr><td>(gain|lose|keep) it", told) == ["gain", "lose", "keep"]
    assert "<td>40</td><td>2</td><td>1,234</td>" in told
    assert "<td>25</td><td>7</td><td>56</td>" in told
    assert "−1.04 fen per yuan" in told


def test_what_has_moved_is_a_table_in_words_and_what_moved_too_far_is_marked() -> None:
    told = page(PASSED)
    table = told[told.index("What has moved") :]
    lines = re.findall(
        r"<tr><td>(.*?)</td><td>(.*?)</td><td>(.*?)</td>.*?<td class=\"(.*?)\">(.*?)<", table, re.S
    )
    assert lines[:3] == [
        ("the score itself, in points", "741", "739", "", "0.90"),
        ("cancellations before shipment, last 30 days · 近30天发货前取消数", "0.25", "0.75", "fail", "0.31"),
        ("a_feature_of_an_older_catalog", "5", "–", "", "0.02"),
    ]


def test_where_only_a_persons_word_is_missing_the_page_says_that_nothing_is_wrong() -> None:
    told = page(PASSED, swap_gate(SWAPPED, Limits(swap_share=0.01)))
    assert "Nothing is wrong with it" in told
    assert "? a person decides" in told


def test_the_page_carries_everything_in_itself_and_trusts_no_text() -> None:
    told = page(replace(FAILED, figure="<script>alert(1)</script>"))
    assert "<script" not in told
    assert all(address.startswith("data:") for address in re.findall(r'(?:src|href)="([^"]*)"', told))
    assert not re.search(r"https?:|url\(|@import", told)


def test_every_check_is_explained_in_both_languages() -> None:
    names = [*EXPLAINED, "slice_new"]
    told = page(*(replace(FAILED, name=name) for name in names))
    for name in names:
        english, chinese = explained(name)
        assert (english[-1], chinese[-1]) == (".", "。")
        assert str(escape(english)) in told
