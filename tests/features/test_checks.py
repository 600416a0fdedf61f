from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.check_report import CheckReport
from features.checks import check_events, split
from features.errors import BadInput
from features.event_rules import LOG_RULES, ROW_RULES
from features.events import KINDS, REFUND_KINDS, REQUIRED_COLUMNS, SCHEMA, TIMESTAMP
from tests.features.log_rows import NOON, event, table, with_column

MICROSECOND = timedelta(microseconds=1)

REFUSED: list[tuple[dict[str, Any], str]] = [
    (event(None), "missing_event_id"),
    (event(""), "missing_event_id"),
    (event("x", buyer_id=None), "missing_buyer_id"),
    (event("x", kind=None), "missing_kind"),
    (event("x", occurred_at=None), "missing_time"),
    (event("x", recorded_at=None), "missing_time"),
    (event("x", kind="order_eaten"), "unknown_kind"),
    (event("x", goods_type="imaginary"), "unknown_goods_type"),
    (event("x", stage="midway"), "unknown_stage"),
    (event("x", fault="weather"), "unknown_fault"),
    (event("x", actor="robot"), "unknown_actor"),
    (event("x", link_type="phone"), "unknown_link_type"),
    (event("x", recorded_at=NOON - MICROSECOND), "recorded_before_occurred"),
    (event("x", amount_fen=-1), "negative_amount_fen"),
    (event("x", line_count=-1), "negative_line_count"),
    (event("x", order_id=None), "missing_order_id"),
    (event("x", kind="refund_granted", order_id=""), "missing_order_id"),
    (event("x", kind="dispute_closed", outcome=None), "bad_dispute_outcome"),
    (event("x", kind="dispute_closed", outcome="nobody"), "bad_dispute_outcome"),
    (event("x", kind="identity_linked", link_type="device"), "missing_link"),
    (event("x", kind="identity_linked", link_value="4f1c"), "missing_link"),
    (event("x", amount_fen=10**12 + 1), "too_large_amount_fen"),
    (event("first"), "duplicate_event_id"),
    (event("first", kind="order_placed", amount_fen=1), "duplicate_event_id"),
    (event("x", kind="refund_requested", order_id="o2"), "refund_without_order"),
    (event("x", kind="refund_requested", buyer_id="b2"), "refund_without_order"),
]

ACCEPTED: list[dict[str, Any]] = [
    event("x", recorded_at=NOON),
    event("x", amount_fen=0),
    event("x", amount_fen=None),
    event("x", amount_fen=10**12),
    event("x", kind="refund_granted", after_sale_id=None),
    event("x", kind="dispute_opened", order_id=None),
    event("x", kind="dispute_closed", outcome="buyer"),
    event("x", kind="dispute_closed", outcome="merchant", order_id=None),
    event("x", kind="abuse_confirmed", order_id=None, reason=None),
    event("x", kind="order_completed", outcome="anything"),
    event("x", kind="identity_linked", order_id=None, link_type="payer", link_value="4f1c"),
]


@pytest.mark.parametrize(("bad", "rule"), REFUSED)
def test_a_bad_row_is_refused_by_its_rule_and_its_number_and_the_others_stay(
    bad: dict[str, Any], rule: str
) -> None:
    report = split(table(event("first"), bad, event("last")))

    assert dict(report.counts) == {rule: 1}
    assert report.first_rows == {rule: (2,)}
    assert report.rejected.select(["row", "rule"]).to_pylist() == [{"row": 2, "rule": rule}]
    assert report.accepted["event_id"].to_pylist() == ["first", "last"]


@pytest.mark.parametrize("sound", ACCEPTED)
def test_what_the_contract_leaves_open_is_accepted(sound: dict[str, Any]) -> None:
    report = split(table(event("first"), sound))

    assert report.rejected.num_rows == 0, report.summary()
    assert report.accepted.schema == SCHEMA


def test_every_rule_is_tried_by_some_test() -> None:
    tried = {rule for _, rule in REFUSED} | {rule for _, _, rule in UNREADABLE}

    assert tried == {rule.code for rule in ROW_RULES + LOG_RULES}


def zoned(*texts: str) -> pa.Array:
    return pa.array([f"2026-03-01T12:00:00{text}" for text in texts])


UNREADABLE = [
    ("occurred_at", zoned("Z", ""), "naive_time"),
    ("recorded_at", pa.array(["2026-03-01 12:00:00Z", "2026-03-01"]), "naive_time"),
    ("occurred_at", zoned("Z", ".1234567Z"), "inexact_time"),
    ("occurred_at", zoned("Z", " noon"), "unreadable_time"),
    ("recorded_at", pa.array(["2026-03-01T12:00:00Z", "2026-02-30T12:00:00Z"]), "unreadable_time"),
    ("occurred_at", zoned("Z", "+99:00"), "unreadable_time"),
    ("occurred_at", pa.array([0, 1], pa.timestamp("ns", "UTC")), "inexact_time"),
    ("occurred_at", pa.array([0, 2**62], pa.timestamp("s", "UTC")), "inexact_time"),
    ("occurred_at", pa.array([0, 2**62], TIMESTAMP), "inexact_time"),
    ("amount_fen", pa.array(["12", "12.5"]), "fractional_amount_fen"),
    ("amount_fen", pa.array([12.0, 12.5]), "fractional_amount_fen"),
    ("amount_fen", pa.array(["12.50", "12.00"]).cast(pa.decimal128(9, 2))[::-1], "fractional_amount_fen"),
    ("amount_fen", pa.array(["12", "-3"]), "negative_amount_fen"),
    ("amount_fen", pa.array(["12", "twelve"]), "unreadable_amount_fen"),
    ("amount_fen", pa.array(["12", "1e3"]), "unreadable_amount_fen"),
    ("amount_fen", pa.array([12.0, float("inf")]), "unreadable_amount_fen"),
    ("amount_fen", pa.array([12.0, 2.0**53]), "unreadable_amount_fen"),
    ("amount_fen", pa.array([12, 2**63], pa.uint64()), "unreadable_amount_fen"),
    ("line_count", pa.array([1.0, 1.5]), "fractional_line_count"),
    ("line_count", pa.array([1, 2**31]), "unreadable_line_count"),
]


@pytest.mark.parametrize(("column", "values", "rule"), UNREADABLE)
def test_a_value_that_cannot_be_brought_over_without_loss_is_refused(
    column: str, values: pa.Array, rule: str
) -> None:
    report = split(with_column(table(event("a"), event("b")), column, values))

    assert report.counts[rule] == 1
    assert report.first_rows[rule] == (2,)
    assert report.rejected[column].combine_chunks().equals(values[1:])


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("occurred_at", pa.array([NOON], pa.timestamp("ms", "Asia/Shanghai"))),
        ("occurred_at", pa.array([NOON], pa.timestamp("ns", "UTC"))),
        ("occurred_at", pa.array([NOON], pa.timestamp("s", "+08:00"))),
        ("occurred_at", pa.array(["2026-03-01T20:00:00+08:00"])),
        ("occurred_at", pa.array(["2026-03-01 12:00Z"])),
        ("occurred_at", pa.array(["2026-03-01 12:00:00.000000+00"])),
        ("occurred_at", pa.array(["2026-03-01T12:00:00.000000000+00:00"], pa.large_string())),
        ("amount_fen", pa.array(["29900"])),
        ("amount_fen", pa.array(["29900.0"])),
        ("amount_fen", pa.array([29900.0])),
        ("amount_fen", pa.array([29900], pa.uint16())),
        ("amount_fen", pa.array(["29900.00"]).cast(pa.decimal128(9, 2))),
        ("kind", pa.array(["order_paid"]).dictionary_encode()),
        ("reason", pa.nulls(1)),
        ("reason", pa.array([float("nan")])),
    ],
)
def test_kindred_types_come_over_when_nothing_is_lost(column: str, values: pa.Array) -> None:
    report = split(with_column(table(event("a")), column, values))

    assert report.accepted.to_pylist() == [event("a")]
    assert report.accepted.schema == SCHEMA


def test_a_column_of_naive_timestamps_refuses_every_row() -> None:
    naive = pa.array([NOON.replace(tzinfo=None)] * 2, pa.timestamp("us"))

    report = split(with_column(table(event("a"), event("b")), "recorded_at", naive))

    assert dict(report.counts) == {"naive_time": 2}


@pytest.mark.parametrize("name", REQUIRED_COLUMNS)
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(BadInput, match=f"missing columns: {name};"):
        split(table(event("a")).drop_columns([name]))


def test_the_two_added_columns_may_be_absent_and_foreign_ones_are_reported() -> None:
    foreign = (
        table(event("a")).drop_columns(["line_count", "imputed"]).append_column("note", pa.array(["hi"]))
    )

    report = split(foreign)

    assert report.accepted.to_pylist() == [event("a")]
    assert report.ignored_columns == ("note",)


@pytest.mark.parametrize(
    ("column", "values"),
    [("occurred_at", pa.array([1])), ("amount_fen", pa.array([True])), ("order_id", pa.array([1.5]))],
)
def test_a_column_of_a_type_that_can_hold_no_value_is_named(column: str, values: pa.Array) -> None:
    with pytest.raises(BadInput, match=f"column {column} has type"):
        split(with_column(table(event("a")), column, values))


def test_text_that_is_not_utf_8_is_named() -> None:
    raw = pa.array([b"\xff"])
    text = pa.Array.from_buffers(pa.string(), 1, raw.buffers())
    with pytest.raises(BadInput, match="column shop_id holds text that is not UTF-8"):
        split(with_column(table(event("a")), "shop_id", text))


def test_a_column_that_is_there_twice_is_named() -> None:
    events = table(event("a"))
    with pytest.raises(BadInput, match="columns there more than once: kind"):
        split(events.append_column("kind", events["kind"]))


def test_a_row_with_several_faults_is_counted_once_and_explained_in_full() -> None:
    report = split(table(event(None, kind="eaten", amount_fen=-5)))

    assert dict(report.counts) == {"missing_event_id": 1}
    explanation = report.rejected["explanation"][0].as_py()
    assert explanation.startswith("event_id is missing; kind is none of")
    assert explanation.endswith("amount_fen is negative")


def test_a_refused_order_does_not_vouch_for_a_refund() -> None:
    log = table(event("a", amount_fen=-1), event("b", kind="refund_requested"))

    assert dict(split(log).counts) == {"negative_amount_fen": 1, "refund_without_order": 1}


@pytest.mark.parametrize("kind", REFUND_KINDS)
def test_events_that_come_in_alone_may_precede_their_order_but_must_name_it(kind: str) -> None:
    assert check_events(table(event("a", kind=kind))).rejected.num_rows == 0
    assert dict(check_events(table(event("a", kind=kind, order_id=None))).counts) == {"missing_order_id": 1}


def test_the_summary_counts_and_numbers_the_first_rows_in_one_line() -> None:
    report = split(table(*[event(f"e{i}", amount_fen=-1) for i in range(6)], event("x", kind="eaten")))

    assert report.summary() == (
        "7 of 7 rows refused: 1 unknown_kind (row 7); 6 negative_amount_fen (rows 1, 2, 3, 4, 5, …)"
    )


def test_an_empty_table_is_an_empty_log() -> None:
    report = split(table())

    assert (report.read, report.accepted.schema) == (0, SCHEMA)


few = st.sampled_from
anything = st.builds(
    event,
    few([None, "", "e1", "e2", "e3"]),
    kind=few([None, "eaten", *KINDS]),
    buyer_id=few([None, "b1", "b2"]),
    order_id=few([None, "o1", "o2"]),
    occurred_at=few([None, NOON, NOON + MICROSECOND]),
    recorded_at=few([None, NOON, NOON - MICROSECOND]),
    amount_fen=few([None, -1, 0, 30_000]),
    outcome=few([None, "buyer", "both"]),
    link_type=few([None, "device", "phone"]),
    link_value=few([None, "4f1c"]),
)


def as_read(report: CheckReport) -> list[dict[str, Any]]:
    """Put the rejected rows back between the accepted ones, by their numbers."""
    rejected = {row["row"]: row for row in report.rejected.to_pylist()}
    accepted = iter(report.accepted.to_pylist())
    rows = [rejected.get(number) or next(accepted) for number in range(1, report.read + 1)]
    return [{name: row[name] for name in SCHEMA.names} for row in rows]


@settings(max_examples=40, deadline=None)
@given(st.lists(anything, max_size=12))
def test_accepted_and_rejected_rows_are_together_the_rows_read(rows: list[dict[str, Any]]) -> None:
    report = split(table(*rows))

    assert as_read(report) == rows
    assert sum(report.counts.values()) == report.rejected.num_rows


@settings(max_examples=40, deadline=None)
@given(st.lists(anything, max_size=12))
def test_what_was_accepted_is_accepted_again(rows: list[dict[str, Any]]) -> None:
    accepted = split(table(*rows)).accepted

    assert split(accepted).accepted.equals(accepted)


def test_a_million_rows_are_checked_in_seconds() -> None:
    n = 1_200_000
    rows = np.arange(n)
    times = pa.array(np.datetime64("2026-01-01", "us") + rows, TIMESTAMP)
    kinds = pa.array(["order_placed", "order_paid", "refund_requested"]).take(pa.array(rows % 3))
    orders = pa.array(rows // 3).cast(pa.string())
    given_columns = {
        "event_id": pa.array(rows).cast(pa.string()),
        "buyer_id": orders,
        "kind": kinds,
        "occurred_at": times,
        "recorded_at": times,
        "order_id": orders,
        "amount_fen": pa.array(rows),
    }
    events = pa.table([given_columns.get(f.name, pa.nulls(n, f.type)) for f in SCHEMA], schema=SCHEMA)
    start = time.process_time()

    assert split(events).accepted.num_rows == n
    # About 2 s here; the limit leaves room for slower machines and still catches a loop over rows.
    assert time.process_time() - start < 12
