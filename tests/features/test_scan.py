"""A log on disk that cannot be read exactly is refused, by file and column."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from features import census
from features.batch import feature_table, spine_of
from features.errors import BadInput
from features.events import SCHEMA, TIMESTAMP
from features.scan import open_log
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


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_any_unit_and_zone_are_read_exactly(tmp_path: Path, unit: str) -> None:
    second = retyped(MORE, "recorded_at", pa.timestamp(unit, "Asia/Shanghai"))
    second = retyped(second, "occurred_at", pa.timestamp(unit, "America/New_York"))
    found = ask(tmp_path, GOOD, second)
    assert found["orders_paid_count_life"].to_pylist() == [2.0]
    assert found["days_since_last_order_paid"].to_pylist() == [1.0]


def nulled(name: str) -> pa.Table:
    at = MORE.column_names.index(name)
    kind = MORE.schema.field(name).type
    return MORE.set_column(at, pa.field(name, kind), pa.chunked_array([pa.nulls(1, kind)]))


def far(name: str, when: int) -> pa.Table:
    return MORE.set_column(MORE.column_names.index(name), name, pa.array([when]).cast(TIMESTAMP))


def finer(nanoseconds: int) -> pa.Table:
    kind = pa.timestamp("ns", "UTC")
    exact = MORE["recorded_at"].cast(kind).cast(pa.int64())[0].as_py()
    at = MORE.column_names.index("recorded_at")
    return MORE.set_column(at, "recorded_at", pa.array([exact + nanoseconds]).cast(kind))


def link(number: int, **changed: object) -> dict[str, object]:
    of = {"kind": "identity_linked", "order_id": None, "amount_fen": None}
    return paid(number, **{**of, "link_type": "device", "link_value": "x", **changed})


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (MORE.drop_columns(["shop_id"]), "1.parquet: has no column shop_id"),
        (MORE.append_column("shop_id", MORE["shop_id"]), "1.parquet: has the column shop_id more than once"),
        (retyped(MORE, "recorded_at", pa.timestamp("us")), "recorded_at is timestamp.us., .* time zone"),
        (retyped(MORE, "amount_fen", pa.float64()), "amount_fen is double, the log needs int64"),
        (nulled("buyer_id"), "1.parquet: 1 nulls in buyer_id"),
        (nulled("kind"), "1 nulls in kind"),
        (table([paid(0)]), "1 events repeat an event_id .e0."),
        (table([paid(1, kind="order_payed")]), "1 event with the kind order_payed, which the contract lacks"),
        (table([paid(1, buyer_id="")]), "1 events have an empty buyer_id"),
        (table([paid(1, amount_fen=-1)]), "1 event with a negative amount_fen .such as -1."),
        (table([paid(1, occurred_at=BASE + timedelta(days=1))]), "1 event recorded before it occurred"),
        (table([paid(1, line_count=-1)]), "1 event with a negative line_count .such as -1."),
        (table([paid(1, amount_fen=MOST - 99)]), "amounts of buyer ann add up to 2.63 fen or more"),
        (finer(1), "recorded_at is timestamp.ns, tz=UTC. and not exact as timestamp.us, tz=UTC."),
        (retyped(MORE, "recorded_at", pa.int64()), "recorded_at is int64, the log needs timestamp"),
        (far("recorded_at", 2**62), "1 event with a recorded_at outside the years 1 to 9999; check its unit"),
        (far("occurred_at", -(2**62)), "1 event with a occurred_at outside the years 1 to 9999"),
        (table([paid(1, stage="shipped")]), "1 event with the stage shipped, which the contract lacks"),
        (table([paid(1, fault="me")]), "1 event with the fault me, which"),
        (table([paid(1, actor="robot")]), "1 event with the actor robot, which"),
        (table([paid(1, order_id=None)]), "1 event of an order or a refund without order_id"),
        (table([paid(1, kind="dispute_closed")]), "1 event of a closed dispute without the outcome"),
        (table([link(1, link_value=None)]), "1 event of kind identity_linked without link_value"),
        (table([link(1, link_type=None)]), "1 event of kind identity_linked without link_type"),
        (table([link(1, link_type="shoe")]), "1 event with the link_type shoe, which"),
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


@pytest.mark.parametrize("as_of", [BASE, datetime.min.replace(tzinfo=UTC)])
def test_an_as_of_before_the_first_event_gets_an_empty_history(tmp_path: Path, as_of: datetime) -> None:
    pq.write_table(GOOD, tmp_path / "events.parquet")
    found = feature_table_of(tmp_path, spine_of(pa.array(["ann"]), as_of))
    assert found["orders_paid_count_life"].to_pylist() == [0.0]
    assert found["days_since_last_order_paid"].is_null(nan_is_null=True).to_pylist() == [True]


def test_at_the_calendars_end_all_is_known_and_no_window_holds_it(tmp_path: Path) -> None:
    pq.write_table(GOOD, tmp_path / "events.parquet")
    found = feature_table_of(tmp_path, spine_of(pa.array(["ann"]), datetime.max.replace(tzinfo=UTC)))
    assert found["orders_paid_count_life"].to_pylist() == [1.0]
    assert found["orders_paid_count_365d"].to_pylist() == [0.0]


def instants(*times: int | None, unit: str = "us") -> pa.Table:
    return pa.table({"buyer_id": ["ann"] * len(times), "as_of": pa.array(times, pa.timestamp(unit, "UTC"))})


@pytest.mark.parametrize(
    ("spine", "said"),
    [
        (instants(0, None), "the spine has 1 nulls in as_of"),
        (instants(2**63 - 1), "as_of outside the years 1 to 9999"),
        (instants(-(2**63) + 1), "as_of outside the years 1 to 9999"),
        (instants(2**62, unit="s"), "the spine is not exact in microseconds"),
        (instants(1, unit="ns"), "the spine is not exact in microseconds"),
        (
            instants(0).set_column(0, "buyer_id", pa.array([7])),
            "the spine's buyer_id is int64, it must be text",
        ),
        (instants(0).set_column(1, "as_of", pa.array([0]).cast(pa.timestamp("us"))), "with a time zone"),
    ],
)
def test_a_spine_that_cannot_be_meant_is_refused(tmp_path: Path, spine: pa.Table, said: str) -> None:
    pq.write_table(GOOD, tmp_path / "events.parquet")
    with pytest.raises(BadInput, match=said):
        feature_table_of(tmp_path, spine)


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


def in_days(folder: Path) -> Path:
    """Lay two days of events out as Spark and Hive do, with the litter that they leave."""
    for day, part in (("day=2025-06-01", GOOD), ("day=2025-06-02", MORE)):
        (folder / day).mkdir(parents=True)
        pq.write_table(part, folder / day / "part-0.parquet")
        (folder / day / ".part-0.parquet.crc").write_bytes(b"crc")
    (folder / "day=2025-06-03").mkdir()
    (folder / "day=2025-06-04").mkdir()
    pq.write_table(SCHEMA.empty_table(), folder / "day=2025-06-04" / "part-0.parquet")
    (folder / "_temporary" / "0").mkdir(parents=True)
    (folder / "_temporary" / "0" / "part-9.parquet").write_bytes(b"half")
    (folder / "_SUCCESS").touch()
    (folder / "README.txt").write_text("days")
    return folder


def test_folders_by_day_are_read_without_litter_empty_days_and_empty_files(tmp_path: Path) -> None:
    found = feature_table_of(in_days(tmp_path / "log"), BASE + timedelta(days=1))
    assert found["orders_paid_count_life"].to_pylist() == [2.0]


@pytest.mark.parametrize("left", [0, 3, 200])
def test_a_truncated_file_is_refused_by_name(tmp_path: Path, left: int) -> None:
    folder = in_days(tmp_path / "log")
    file = folder / "day=2025-06-02" / "part-0.parquet"
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(BadInput, match=r"day=2025-06-02/part-0.parquet: cannot be read"):
        feature_table_of(folder, BASE)


def test_a_file_with_damaged_pages_is_refused_by_name(tmp_path: Path) -> None:
    folder = in_days(tmp_path / "log")
    file = folder / "day=2025-06-02" / "part-0.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + b"\xff" * 400 + whole[404:])
    with pytest.raises(BadInput, match=r"day=2025-06-02/part-0.parquet: cannot be read"):
        feature_table_of(folder, BASE)


def test_a_column_that_only_a_folders_name_holds_is_missing(tmp_path: Path) -> None:
    (tmp_path / "kind=order_paid").mkdir()
    pq.write_table(GOOD.drop_columns(["kind"]), tmp_path / "kind=order_paid" / "a.parquet")
    with pytest.raises(BadInput, match=r"kind=order_paid/a.parquet: has no column kind"):
        feature_table_of(tmp_path, BASE)


def test_csv_among_the_files_is_never_passed_over(tmp_path: Path) -> None:
    pq.write_table(GOOD, tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("event_id")
    with pytest.raises(BadInput, match=r"b.csv: is CSV, .* import it"):
        feature_table_of(tmp_path, BASE)


def test_files_on_another_file_system_are_a_log_too(tmp_path: Path) -> None:
    in_days(tmp_path / "log")
    elsewhere = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    found = feature_table_of(open_log("log", filesystem=elsewhere), BASE + timedelta(days=1))
    assert found["orders_paid_count_life"].to_pylist() == [2.0]
