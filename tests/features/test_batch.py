"""A spine that cannot be meant is refused by name; everything else is answered in its order."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from features.batch import feature_table, spine_of
from features.errors import BadInput
from features.events import SCHEMA
from tests.features.streams import BASE, table

WHEN = pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("us", tz="UTC"))
EVENT = {"event_id": "e", "buyer_id": "ann", "kind": "order_paid", "occurred_at": BASE, "recorded_at": BASE}


@pytest.mark.parametrize(
    ("spine", "said"),
    [
        (pa.table({"buyer": ["ann"], "as_of": WHEN}), "no column buyer_id .found: buyer, as_of."),
        (pa.table({"buyer_id": ["ann"]}), "no column as_of"),
        (pa.table({"buyer_id": pa.array([None], pa.string()), "as_of": WHEN}), "1 nulls in buyer_id"),
        (
            pa.table({"buyer_id": ["ann"], "as_of": pa.array([0], pa.timestamp("us"))}),
            "must be a timestamp with",
        ),
        (pa.table({"buyer_id": ["ann"], "as_of": ["2026-01-01"]}), "as_of is string"),
    ],
)
def test_a_spine_that_cannot_be_meant_is_refused(spine: pa.Table, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        feature_table(SCHEMA.empty_table(), spine)


def test_events_that_repeat_an_id_are_refused() -> None:
    with pytest.raises(BadInput, match="1 events repeat an event_id"):
        feature_table(table([EVENT, EVENT]), spine_of(pa.array(["ann"]), BASE))


def test_events_without_a_column_are_refused_by_its_name() -> None:
    with pytest.raises(BadInput, match="lack the column amount_fen"):
        feature_table(table([EVENT]).drop_columns(["amount_fen"]), spine_of(pa.array(["ann"]), BASE))


def test_rows_come_back_in_the_spines_order_with_milliseconds_read_exactly() -> None:
    later = pa.array([1_767_225_600_000], pa.timestamp("ms", tz="Asia/Shanghai"))[0]
    spine = pa.table({"buyer_id": ["zoe", "ann", "zoe"], "as_of": pa.array([later] * 3)})
    found = feature_table(table([EVENT]), spine)
    assert found["buyer_id"].to_pylist() == ["zoe", "ann", "zoe"]
    assert found["orders_paid_count_life"].to_pylist() == [0.0, 1.0, 0.0]
    assert found["as_of"][0].as_py() == datetime(2026, 1, 1, tzinfo=UTC)


def test_an_empty_spine_gives_an_empty_table_with_the_catalogs_columns() -> None:
    spine = spine_of(pa.array([], pa.string()), BASE)
    assert feature_table(table([EVENT]), spine).num_rows == 0
