from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from decisions.engine import decide
from decisions.policy import NOTICE
from decisions.request import BuyerEvidence, OrderEvidence
from decisions.tiers import tier_of
from features.catalog import CATALOG, REASONS
from features.online import rows_vector
from features.rows import Row, rows_of
from models.buyer_score import BuyerScore
from models.buyer_words import BUYER_WORDS, words_of
from models.counterfactual import CHANGES, counterfactuals
from models.evidence import buyer_evidence
from models.explanations import ORDER_FACTS, ORDER_FAULTS, for_buyer, for_merchant, for_operator
from tests.decisions.test_rules import GOOD, NOW, REQUEST, UNKNOWN_ORDER
from tests.training.events import cancelled, day, event, market, order, table
from training.dataset import build_dataset
from training.fit import new_score
from training.labels import AbuseLabel
from training.log import training_log

AS_OF = day(120)
POLICY = replace(NOTICE, quality_score_min=650.0, low_score_max=560.0)


@pytest.fixture(scope="session")
def score() -> BuyerScore:
    log, label = training_log(market()), AbuseLabel()
    rows = build_dataset(log, label=label, snapshots=[day(90), day(150), day(210)])
    return new_score(max_trees=80).fit(rows.X, rows.y)


def history(*, kept: int, cancels: int) -> list[Row]:
    """Keep some orders and cancel some, one every two days up to the present."""
    events: list[dict[str, Any]] = []
    n = kept + cancels
    for i in range(n):
        name, at = f"o{i}", 118 - 2.0 * (n - i)
        events += order("b", at, name, goods_type="physical")
        if i < kept:
            events.append(event("order_completed", "b", at + 1, order_id=name, shop_id="s1"))
        else:
            events += cancelled("b", at + 0.1, name)
    return rows_of(table(events))


def vector_of(rows: list[Row], at: datetime = AS_OF) -> np.ndarray:
    return rows_vector(rows, buyer_id="b", as_of=at)


def test_every_reason_of_the_catalog_has_words_for_the_buyer_in_both_languages() -> None:
    assert set(BUYER_WORDS) == set(REASONS)
    for code in REASONS:
        for text in (words_of(code).helps, words_of(code).hurts, words_of(code).change):
            assert re.search(r"[一-鿿]", text["zh"])
            assert re.search(r"[a-z]", text["en"])


def test_the_operators_figures_add_up_to_the_raw_score_and_from_there_to_the_points(
    score: BuyerScore,
) -> None:
    told = for_operator(history(kept=8, cancels=9), buyer_id="b", as_of=AS_OF, score=score, policy=POLICY)
    assert told.base + sum(r.contribution for r in told.reasons) == pytest.approx(told.margin, abs=1e-6)
    for reason in told.reasons:
        assert sum(f.contribution for f in reason.features) == pytest.approx(reason.contribution, abs=1e-6)
    chance = 1 / (1 + np.exp(-(told.slope * told.margin + told.intercept)))
    assert told.p_abuse == pytest.approx(1e-4 + (1 - 2e-4) * chance)
    shown = {f.name: f.value for r in told.reasons for f in r.features}
    vector = vector_of(history(kept=8, cancels=9))
    assert all(value is None or value == vector[CATALOG.index[name]] for name, value in shown.items())


def test_a_counterfactual_is_true_and_the_least_of_its_kind(score: BuyerScore) -> None:
    rows = history(kept=20, cancels=12)
    assert tier_of(buyer_evidence(vector_of(rows), score=score), POLICY) != "quality"
    found = {
        c.change: c for c in counterfactuals(rows, buyer_id="b", as_of=AS_OF, score=score, policy=POLICY)
    }
    assert "fewer_cancellations" in found
    for change, one in found.items():
        for amount, (edited, at) in CHANGES[change].histories(rows, "b", AS_OF):
            evidence = buyer_evidence(vector_of(edited, at), score=score)
            assert (tier_of(evidence, POLICY) == "quality") is (amount == one.amount)
            if amount == one.amount:
                assert evidence.score == one.points
                break


def test_an_order_that_is_not_cancelled_is_carried_through(score: BuyerScore) -> None:
    rows = history(kept=20, cancels=12)
    edits = dict(CHANGES["fewer_cancellations"].histories(rows, "b", AS_OF))
    assert list(edits) == list(range(1, 13))
    before, after = vector_of(rows), vector_of(edits[12][0], edits[12][1])
    at = CATALOG.index
    assert after[at["cancellations_count_life"]] == 0 < before[at["cancellations_count_life"]]
    assert after[at["cancelled_amount_sum_90d"]] == 0
    assert after[at["orders_paid_count_life"]] == before[at["orders_paid_count_life"]]
    completed = at["orders_completed_count_life"]
    assert before[completed] < after[completed] <= after[at["orders_paid_count_life"]]


def test_waiting_and_completing_move_time_and_nothing_of_the_past() -> None:
    rows = history(kept=3, cancels=2)
    waited = dict(CHANGES["wait_days"].histories(rows, "b", AS_OF))
    assert waited[30] == (rows, AS_OF + timedelta(days=30))
    completed, at = dict(CHANGES["complete_orders"].histories(rows, "b", AS_OF))[4]
    assert completed[: len(rows)] == rows
    vector = vector_of(completed, at)
    assert vector[CATALOG.index["orders_completed_count_life"]] == 3 + 4
    assert at == AS_OF + timedelta(days=12)


def test_what_a_buyer_cannot_act_on_is_not_offered(score: BuyerScore) -> None:
    assert not {"fewer_links", "fewer_abuse_confirmed"} & set(CHANGES)
    impossible = replace(POLICY, quality_score_min=899.9)
    assert (
        counterfactuals(history(kept=3, cancels=9), buyer_id="b", as_of=AS_OF, score=score, policy=impossible)
        == ()
    )


def test_a_quality_user_needs_no_change(score: BuyerScore) -> None:
    told = for_operator(history(kept=25, cancels=0), buyer_id="b", as_of=AS_OF, score=score, policy=POLICY)
    assert (told.tier, told.would_be_quality) == ("quality", ())


def test_what_is_recorded_later_explains_nothing(score: BuyerScore) -> None:
    rows = history(kept=20, cancels=12)
    later = [dict(row) | {"event_id": f"{row['event_id']} later", "recorded_at": 2**52} for row in rows]
    one, other = (
        for_operator(given, buyer_id="b", as_of=AS_OF, score=score, policy=POLICY)
        for given in (rows, rows + later)
    )
    assert one == other


def test_the_buyer_hears_what_hurts_and_what_would_change_it_and_no_number_of_the_model(
    score: BuyerScore,
) -> None:
    told = for_buyer(vector_of(history(kept=4, cancels=16)), score=score, policy=POLICY)
    hurting = [reason for reason in told.reasons if not reason.helps]
    assert hurting
    assert all(reason.change for reason in hurting)
    assert all(reason.change is None for reason in told.reasons if reason.helps)
    assert not re.search(r"\d", json.dumps([asdict(r) for r in told.reasons], ensure_ascii=False))


def test_a_buyer_with_little_history_hears_how_much_is_needed(score: BuyerScore) -> None:
    told = for_buyer(vector_of(history(kept=1, cancels=0)), score=score, policy=POLICY)
    assert told.tier == "new"
    assert "1 completed order over 4 days; at least 3 over 30 days are needed" in told.summary["en"]


def test_a_buyer_of_whom_nothing_paid_is_known_hears_that_where_no_history_is_asked_for(
    score: BuyerScore,
) -> None:
    policy = replace(POLICY, min_completed_orders=0, min_tenure_days=0.0)
    unknown = for_buyer(vector_of([]), score=score, policy=policy)
    assert unknown.tier == "new"
    assert unknown.summary["en"] == "There is not enough history yet: nothing that you paid is known to us."
    assert unknown.summary["zh"] == "您的交易历史还不够:我们还没有您的付款记录。"
    told = for_buyer(vector_of([]), score=score, policy=POLICY)
    assert "0 completed orders over 0 days; at least 3 over 30 days are needed" in told.summary["en"]


@pytest.mark.parametrize(
    "buyer",
    [{}, {"score": 301.5}, {"abuse_confirmed": True}, {"completed_orders": 1}, {"tenure_days": None}],
)
@pytest.mark.parametrize("known", [{}, {"of_another_buyer": True}])
def test_the_merchant_hears_of_the_order_and_nothing_of_the_buyer(
    buyer: dict[str, Any], known: dict[str, Any]
) -> None:
    evidence: BuyerEvidence = replace(GOOD, **buyer)
    seen: OrderEvidence = replace(UNKNOWN_ORDER, **known)
    decision = decide(REQUEST, buyer=evidence, order=seen, policy=NOTICE, decided_at=NOW)
    told = for_merchant(decision.outcome, decision.rules)
    everything = json.dumps(asdict(told), ensure_ascii=False)
    assert not re.search(r"\d", everything)
    private = ("abuse", "score", "points", "history", "cancel", "违规", "取消", "历史", "分", *REASONS)
    assert not [word for word in private if word in everything]
    if decision.outcome == "auto_refund":
        assert told.because == tuple(ORDER_FACTS.values())
    else:
        assert told.because == ()


def test_the_merchant_hears_which_fact_of_the_order_was_in_the_way() -> None:
    request = replace(REQUEST, order=replace(REQUEST.order, shipping_status="partially_shipped"))
    decision = decide(request, buyer=GOOD, order=UNKNOWN_ORDER, policy=NOTICE, decided_at=NOW)
    assert for_merchant(decision.outcome, decision.rules).because == (ORDER_FAULTS["unshipped"],)


@pytest.mark.parametrize(
    ("change", "one", "many"),
    [
        ("wait_days", "after 1 day in which", "after 3 days in which"),
        (
            "complete_orders",
            "1 more order of one item and the usual amount in 1 new shop,",
            "in 3 new shops,",
        ),
        ("fewer_cancellations", "the latest cancelled order had", "the latest 3 cancelled orders had"),
        ("fewer_found_shipped", "without the latest refund of", "without the latest 3 refunds of"),
    ],
)
def test_one_is_told_in_the_singular(change: str, one: str, many: str) -> None:
    assert one in CHANGES[change].en(1)
    assert many in CHANGES[change].en(3)
