from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.errors import BadInput
from training.labels import AbuseLabel, CancellationLabel
from training.log import TrainingLog, training_log

from .events import T, cancelled, day, event, order, table

US = 1e-6 / 86400


def log_of(*rows: dict[str, Any]) -> TrainingLog:
    ends = [event("order_paid", "someone", at, order_id="o") for at in (-400, 999)]
    return training_log(table([*ends, *rows]), until=day(1000))


def names(log: TrainingLog, codes: Any) -> set[str]:
    return {log.buyer_ids[int(code)].as_py() for code in codes}


def abuse(*rows: dict[str, Any]) -> bool:
    log = log_of(*rows)
    return "b" in names(log, AbuseLabel().positives(log, T))


CONFIRMED = "abuse_confirmed"


@pytest.mark.parametrize(
    ("rows", "positive"),
    [
        ([event(CONFIRMED, "b", 0)], True),
        ([event(CONFIRMED, "b", -US)], False),
        ([event(CONFIRMED, "b", 90 - 1e-9)], True),
        ([event(CONFIRMED, "b", 90)], False),
        ([event(CONFIRMED, "b", 80, known=120 - 1e-9)], True),
        ([event(CONFIRMED, "b", 80, known=120)], False),
        ([event(CONFIRMED, "b", 10), event("abuse_cleared", "b", 119)], False),
        ([event(CONFIRMED, "b", 10), event("abuse_cleared", "b", 20, known=120)], True),
        ([event(CONFIRMED, "b", 10), event("abuse_cleared", "b", 5)], True),
        ([event(CONFIRMED, "b", 10), event("abuse_cleared", "b", 20), event(CONFIRMED, "b", 30)], True),
        ([event(CONFIRMED, "other", 10)], False),
        ([event("dispute_closed", "b", 10, outcome="merchant")], True),
        ([event("dispute_closed", "b", 10, outcome="buyer")], False),
        ([event("refund_found_shipped", "b", 10, order_id="o1")], True),
        ([event("refund_found_shipped", "b", 91, order_id="o1")], False),
    ],
)
def test_each_sign_of_abuse_counts_in_its_window_and_when_it_was_known(
    rows: list[dict[str, Any]], positive: bool
) -> None:
    assert abuse(*rows) is positive


def refunds(
    n: int, *, paid: int, fault: str | None = None, stage: str = "before_shipment"
) -> list[dict[str, Any]]:
    bought = [row for i in range(paid) for row in order("b", 1 + i / 10, f"o{i}")]
    back = [row for i in range(n) for row in cancelled("b", 2 + i / 10, f"o{i}", fault=fault, stage=stage)]
    return bought + back


@pytest.mark.parametrize(
    ("rows", "positive"),
    [
        (refunds(5, paid=10), True),
        (refunds(4, paid=4), False),
        (refunds(5, paid=11), False),
        (refunds(5, paid=0), True),
        (refunds(5, paid=5, fault="buyer"), True),
        (refunds(5, paid=5, fault="none"), True),
        (refunds(5, paid=5, fault="shop"), False),
        (refunds(5, paid=5, fault="carrier"), False),
        (refunds(5, paid=5, fault="platform"), False),
        (refunds(5, paid=5, stage="after_shipment"), False),
        ([*refunds(3, paid=5), *cancelled("b", 3, "o0"), *cancelled("b", 3.5, "o1")], False),
    ],
)
def test_serial_refunds_count_from_both_limits_on_unless_others_caused_them(
    rows: list[dict[str, Any]], positive: bool
) -> None:
    assert abuse(*rows) is positive


@pytest.mark.parametrize(
    ("rows", "asked"),
    [
        (order("b", -1, "o1"), True),
        (order("b", 0, "o1"), False),
        (order("b", -180, "o1"), True),
        (order("b", -180 - 1e-9, "o1"), False),
        ([*order("b", -300, "o1"), event("identity_linked", "b", -1)], True),
        ([event("identity_linked", "b", -1)], False),
    ],
)
def test_the_question_of_abuse_is_about_buyers_who_bought_and_were_active(
    rows: list[dict[str, Any]], asked: bool
) -> None:
    log = log_of(*rows)
    assert ("b" in names(log, AbuseLabel().population(log, T))) is asked


PAST = order("b", -20, "p1") + order("b", -10, "p2")


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        (PAST + order("b", 0, "n"), False),
        (PAST + order("b", 0, "n") + cancelled("b", 59.999, "n"), True),
        (PAST + order("b", 0, "n") + cancelled("b", 60, "n"), False),
        (PAST + order("b", 89.999, "n") + cancelled("b", 149, "n"), True),
        (PAST + order("b", 5, "n") + cancelled("b", 6, "p2"), False),
        (PAST + order("b", 90, "n") + cancelled("b", 91, "n"), None),
        (PAST[:2] + order("b", 0, "n"), None),
        (order("b", -1, "p1") + order("b", 0, "p2") + order("b", 1, "n"), None),
    ],
)
def test_cancellation_asks_whether_an_order_of_the_window_loses_a_line_in_time(
    rows: list[dict[str, Any]], outcome: bool | None
) -> None:
    log, label = log_of(*rows), CancellationLabel()
    asked = "b" in names(log, label.population(log, T))
    found = "b" in names(log, label.positives(log, T))
    assert (found if asked else None) is outcome


KINDS = ("order_paid", "refund_granted", CONFIRMED, "abuse_cleared", "dispute_closed", "refund_found_shipped")
STREAMS = st.lists(
    st.builds(
        lambda kind, buyer, at, lag, name, fault, outcome: event(
            kind,
            buyer,
            at,
            known=at + lag,
            order_id=name,
            fault=fault,
            outcome=outcome,
            stage="before_shipment",
        ),
        st.sampled_from(KINDS),
        st.sampled_from("bc"),
        st.integers(-5, 95),
        st.sampled_from((0, 1, 29, 40)),
        st.sampled_from([f"o{i}" for i in range(8)]),
        st.sampled_from((None, "buyer", "shop")),
        st.sampled_from((None, "merchant", "buyer")),
    ),
    max_size=40,
)


def cleared_in_time(row: dict[str, Any]) -> bool:
    return row["kind"] == "abuse_cleared" and row["recorded_at"] < day(120)


def slow_abuse(rows: list[dict[str, Any]], buyer: str) -> bool:
    """Answer by the definition, row by row."""
    mine = [r for r in rows if r["buyer_id"] == buyer]
    seen = [r for r in mine if T <= r["occurred_at"] < day(90) and r["recorded_at"] < day(120)]
    for row in seen:
        if row["kind"] == "refund_found_shipped":
            return True
        if row["kind"] == "dispute_closed" and row["outcome"] == "merchant":
            return True
        if row["kind"] == CONFIRMED and not any(
            c["occurred_at"] >= row["occurred_at"] for c in mine if cleared_in_time(c)
        ):
            return True
    granted = [r for r in seen if r["kind"] == "refund_granted"]
    back = {r["order_id"] for r in granted if r["fault"] in (None, "buyer", "none")}
    paid = {r["order_id"] for r in seen if r["kind"] == "order_paid"}
    return len(back) >= 5 and len(back) >= 0.5 * len(paid)


@settings(max_examples=150, deadline=None)
@given(STREAMS)
def test_labels_agree_with_the_definition_read_row_by_row(rows: list[dict[str, Any]]) -> None:
    log = log_of(*rows)
    found = names(log, AbuseLabel().positives(log, T))
    assert found & {"b", "c"} == {buyer for buyer in "bc" if slow_abuse(rows, buyer)}


def test_an_amount_that_a_label_could_not_hold_exactly_is_named() -> None:
    log = log_of(event("order_paid", "b", 1, order_id="o", amount_fen=2**53 + 1))
    with pytest.raises(BadInput, match=r"holds the amount_fen 9007199254740993: 2\^53 or more is not exact"):
        _ = log.frame
