"""A log on disk that cannot be read exactly is refused, by file and column."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import census
from features.batch import feature_table, spine_of
from features.errors import BadInput
from features.events import SCHEMA
from features.stream import feature_table_of
from tests.features.streams import BASE, table

MOST = 2**63 - 1


def paid(number: int, **changed: object) -> dict[str, object]:
    event = {"event_id": f"e{number}", "buyer_id": "ann", "kind": "order_paid", "order_id": f"o{number}"}
    return {**event, "occurred_at": BASE, "recorded_at": BASE, "amount_fen": 100, **changed}


def ask(folder: Path, *tables: pa.Table) -> pa.Table:
    for i, part in enumerate(tables):
        pq.write_table(part, folder / f"{i}.parquet")
    return feature_table_of(folder, spine_of(pa.array(["ann"]), BASE + timedelta(days=1)))


def retyped(events: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    at = events.column_names.index(name)
    return events.set_column(at, name, events[name].cast(kind))


GOOD = table([paid(0)])
MORE = table([paid(1)])


def test_milliseconds_with_a_zone_are_read_exactly(tmp_path: Path) -> None:
    found = ask(tmp_path, GOOD, retyped(MORE, "recorded_at", pa.timestamp("ms", "Asia/Shanghai")))
    assert found["orders_paid_count_life"].to_pylist() == [2.0]


def nulled(name: str) -> pa.Table:
    at = MORE.column_names.index(name)
    kind = MORE.schema.field(name).type
    return MORE.set_column(at, pa.field(name, kind), pa.chunked_array([pa.nulls(1, kind)]))


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (MORE.drop_columns(["shop_id"]), "1.parquet: has no column shop_id"),
        (retyped(MORE, "recorded_at", pa.timestamp("us")), "recorded_at is timestamp.us., .* time zone"),
        (retyped(MORE, "amount_fen", pa.float64()), "amount_fen is double, the log needs int64"),
        (nulled("buyer_id"), "1.parquet: 1 nulls in buyer_id"),
        (nulled("kind"), "1 nulls in kind"),
        (table([paid(0)]), "1 events repeat an event_id .e0."),
        (table([paid(1, kind="order_payed")]), "1 event with the kind order_payed, which the contract lacks"),
        (table([paid(1, buyer_id="")]), "1 events have an empty buyer_id"),
        (table([paid(1, amount_fen=-1)]), "1 event with a negative amount_fen .such as -1."),
        (table([paid(1, occurred_at=BASE + timedelta(days=1))]), "1 event recorded before it occurred"),
        (table([paid(1, amount_fen=MOST - 99)]), "amounts of buyer ann add up to 2.63 fen or more"),
    ],
)  # fmt: skip
def test_a_second_file_that_does_not_fit_is_refused_by_name(
    tmp_path: Path, second: pa.Table, said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        ask(tmp_path, GOOD, second)


def test_the_greatest_sum_that_fits_is_computed(tmp_path: Path) -> None:
    found = ask(tmp_path, GOOD, table([paid(1, amount_fen=MOST - 100)]))
    assert found["paid_amount_sum_life"].to_pylist() == [float(MOST)]


def test_in_memory_an_overflow_a_strange_kind_and_a_missing_buyer_are_refused_too() -> None:
    spine = spine_of(pa.array(["ann"]), BASE)
    for row, said in (
        (paid(1, amount_fen=MOST), "2.63 fen"),
        (paid(1, kind="order_payed"), "order_payed"),
        (paid(1, buyer_id=""), "1 events have no buyer_id"),
    ):
        with pytest.raises(BadInput, match=said):
            feature_table(table([paid(0), row]), spine)


def test_ids_whose_hashes_meet_are_told_apart_by_their_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(census, "hash_texts", lambda ends, data, out: out.fill(7))
    assert ask(tmp_path, GOOD, MORE)["orders_paid_count_life"].to_pylist() == [2.0]
    with pytest.raises(BadInput, match="1 events repeat an event_id"):
        ask(tmp_path, GOOD, GOOD)


def test_an_as_of_before_the_first_event_gets_an_empty_history(tmp_path: Path) -> None:
    pq.write_table(GOOD, tmp_path / "events.parquet")
    early = spine_of(pa.array(["ann"]), BASE)
    found = feature_table_of(tmp_path, early)
    assert found["orders_paid_count_life"].to_pylist() == [0.0]
    assert found["days_since_last_order_paid"].is_null(nan_is_null=True).to_pylist() == [True]


@pytest.mark.parametrize("make", ["nothing", "empty folder", "no parquet"])
def test_a_path_without_a_log_is_refused(tmp_path: Path, make: str) -> None:
    path = tmp_path / "log"
    if make == "empty folder":
        path.mkdir()
    if make == "no parquet":
        path.write_text("event_id")
    with pytest.raises(BadInput, match="log"):
        feature_table_of(path, spine_of(pa.array(["ann"]), BASE))


def test_the_schema_is_checked_in_files_without_rows_too(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"1.parquet: has no column event_id"):
        ask(tmp_path, GOOD, SCHEMA.empty_table().drop_columns(["event_id"]))
