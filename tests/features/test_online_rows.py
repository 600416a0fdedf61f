"""One buyer's rows give the same bytes as a table of them and as the batch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import online
from features.batch import feature_table
from features.catalog import CATALOG
from features.errors import BadInput
from features.events import SCHEMA
from features.history import pack
from features.online import buyer_vector, rows_vector
from features.rows import encode, microseconds, own_rows, rows_of
from tests.features.streams import BASE, BUYERS, dense_stream, instants_to_ask, stream, table

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
PLAIN: dict[str, Any] = {**dict.fromkeys(SCHEMA.names), "buyer_id": "ann", "kind": "order_paid"}


def paid(event_id: str | None = "e", **said: Any) -> dict[str, Any]:
    return {**PLAIN, "event_id": event_id, "occurred_at": BASE, "recorded_at": BASE, **said}


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(st.data())
def test_rows_of_one_buyer_give_the_bytes_of_the_batch(data: st.DataObject) -> None:
    events = data.draw(stream())
    as_of = data.draw(instants_to_ask(events))
    spine = pa.table({"buyer_id": list(BUYERS), "as_of": pa.array([as_of] * 3, pa.timestamp("us", tz="UTC"))})
    batch = feature_table(table(events), spine)
    for i, buyer in enumerate(BUYERS):
        wanted = np.array([batch[name][i].as_py() for name in CATALOG.names])
        found = rows_vector(events, buyer_id=buyer, as_of=as_of)
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("seed", range(8))
def test_rows_and_tables_are_encoded_to_the_same_records(seed: int) -> None:
    events = dense_stream(seed, size=120)
    histories = pack(table(events))
    for buyer, start, end in zip(
        histories.buyer_ids.to_pylist(), histories.offsets[:-1], histories.offsets[1:], strict=True
    ):
        wanted = histories.events[start:end]
        assert encode(own_rows(events, buyer)).events.tobytes() == wanted.tobytes()
        assert encode(own_rows(rows_of(table(events)), buyer)).events.tobytes() == wanted.tobytes()


def test_a_long_table_goes_by_columns_to_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    events = table(dense_stream(3))
    asked = {"buyer_id": "ann", "as_of": BASE + timedelta(days=90)}
    by_rows = buyer_vector(events, **asked)
    monkeypatch.setattr(online, "MANY_ROWS", 0)
    assert buyer_vector(events, **asked).tobytes() == by_rows.tobytes()


def test_an_empty_text_is_no_order() -> None:
    events = [paid("a", order_id=""), paid("b", order_id=None), paid("c", order_id="o")]
    assert encode(own_rows(events, "ann")).events["order_ref"].tolist() == [-1, -1, 0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([paid(), paid()], "1 events repeat an event_id"),
        ([paid(kind="order_lost")], "event e: 'order_lost' is not a kind of event"),
        ([paid(kind=None)], "event e: None is not a kind of event"),
        ([paid(event_id=None)], "an event has no event_id"),
        ([paid(amount_fen=-1)], "event e: amount_fen -1, line_count None: no whole number from 0 on"),
        ([paid(amount_fen=1.5)], "event e: amount_fen 1.5"),
        ([paid(amount_fen="12")], "event e: amount_fen '12'"),
        ([paid(amount_fen=2**63)], "event e: amount_fen 9223372036854775808"),
        ([paid(recorded_at=BASE.replace(tzinfo=None))], "is no instant: give a datetime with a time zone"),
        (
            [paid("a", amount_fen=2**62), paid("b", amount_fen=2**62)],
            r"amounts of buyer ann add up to 2\^63 fen",
        ),
    ],
)
def test_rows_that_cannot_be_meant_are_refused(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        rows_vector(rows, buyer_id="ann", as_of=BASE + timedelta(days=1))


def test_amounts_just_below_the_limit_are_added_up_exactly() -> None:
    rows = [paid("a", amount_fen=2**62), paid("b", amount_fen=2**62 - 1)]
    vector = rows_vector(rows, buyer_id="ann", as_of=BASE + timedelta(days=1))
    assert vector[CATALOG.index["paid_amount_sum_life"]] == float(2**63 - 1)


def test_a_table_without_line_counts_is_as_one_with_nulls() -> None:
    events = table([paid()])
    asked = {"buyer_id": "ann", "as_of": BASE + timedelta(days=1)}
    bare = events.drop_columns(["line_count", "imputed"])
    assert buyer_vector(bare, **asked).tobytes() == buyer_vector(events, **asked).tobytes()


def test_a_table_without_another_column_is_refused_by_its_name() -> None:
    with pytest.raises(BadInput, match="lack the column shop_id"):
        buyer_vector(table([paid()]).drop_columns(["shop_id"]), buyer_id="ann", as_of=BASE)


@pytest.mark.parametrize("many_rows", [online.MANY_ROWS, 0])
@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        ("recorded_at", pa.timestamp("us"), r"recorded_at is timestamp\[us\], it must be a timestamp with a"),
        ("occurred_at", pa.int64(), "occurred_at is int64, it must be a timestamp with a time zone"),
    ],
)
def test_a_table_with_times_without_zone_is_refused_by_rows_and_by_columns(
    monkeypatch: pytest.MonkeyPatch, many_rows: int, column: str, kind: pa.DataType, said: str
) -> None:
    monkeypatch.setattr(online, "MANY_ROWS", many_rows)
    events = table([paid()])
    bare = events[column].cast(pa.int64()).cast(kind)
    with pytest.raises(BadInput, match=said):
        buyer_vector(
            events.set_column(events.column_names.index(column), column, bare), buyer_id="ann", as_of=BASE
        )


@pytest.mark.parametrize(
    ("when", "wanted"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8))), 1_767_225_600_000_000),
        (datetime(2262, 4, 11, 23, 47, 16, 854_775, tzinfo=UTC), 9_223_372_036_854_775),
        (17, 17),
    ],
)
def test_times_become_microseconds_exactly(when: datetime | int, wanted: int) -> None:
    assert microseconds(when) == wanted
