from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.checks import split
from features.errors import BadInput
from features.sources.online_retail_ii import REASONS, RetailImport, import_online_retail_ii

PARQUET = ("invoice", "stock_code", "quantity", "invoice_date", "unit_price", "customer_id", "country")
XLSX = ("Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country")
MONDAY = datetime(2010, 1, 4, 9, 30)
DAY = timedelta(days=1)


def line(
    invoice: str,
    stock_code: str,
    quantity: Any,
    at: Any = MONDAY,
    *,
    price: Any = 2.5,
    customer: Any = 13085,
) -> tuple[Any, ...]:
    return (invoice, stock_code, quantity, at, price, customer, "United Kingdom")


def imported(path: Path, *lines: tuple[Any, ...]) -> RetailImport:
    file = path / "retail.parquet"
    pd.DataFrame(list(lines), columns=list(PARQUET)).to_parquet(file)
    return import_online_retail_ii(file)


def events(result: RetailImport, kind: str) -> list[dict[str, Any]]:
    return [row for row in result.events.to_pylist() if row["kind"] == kind]


def test_a_goods_invoice_becomes_an_order_placed_and_paid(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line("1", "85048", 12, price=6.95),
        line("1", "22041", 1, MONDAY + timedelta(minutes=1), price=0.001),
        line("1", "22041", 1, price=0.001),
        line("1", "POST", 1, price=18.0),
    )

    placed, paid = result.events.to_pylist()
    assert (placed["kind"], paid["kind"]) == ("order_placed", "order_paid")
    assert placed["event_id"] < paid["event_id"]
    assert paid["amount_fen"] == 12 * 6_950 + 2
    assert paid["line_count"] == 2
    assert (paid["buyer_id"], paid["order_id"], paid["shop_id"]) == ("13085", "1", "online-retail-ii")
    assert paid["occurred_at"] == datetime(2010, 1, 4, 9, 30, tzinfo=UTC)
    assert (placed["imputed"], paid["imputed"]) == ("recorded_at", "occurred_at,recorded_at")
    assert {paid[name] for name in ("goods_type", "category_id", "reason", "fault", "link_type")} == {None}


@pytest.mark.parametrize(
    ("lag", "stage"),
    [
        (timedelta(minutes=1), "before_shipment"),
        (2 * DAY, "before_shipment"),
        (2 * DAY + timedelta(minutes=1), "after_shipment"),
    ],
)
def test_a_cancelled_line_becomes_a_refund_of_its_order(lag: timedelta, stage: str, tmp_path: Path) -> None:
    result = imported(
        tmp_path, line("1", "85048", 12), line("1", "22041", 3), line("C2", "85048", -12, MONDAY + lag)
    )

    requested, granted = events(result, "refund_requested") + events(result, "refund_granted")
    for event in (requested, granted):
        assert (event["order_id"], event["after_sale_id"], event["stage"]) == ("1", "C2:1", stage)
        assert (event["amount_fen"], event["line_count"]) == (30_000, 1)
    assert granted["imputed"] == "recorded_at,order_id,stage"
    assert result.match_rate == 1.0
    assert split(result.events).rejected.num_rows == 0


def cancelled_orders(result: RetailImport) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in events(result, "refund_granted"):
        found.setdefault(event["after_sale_id"].split(":")[0], []).append(event["order_id"])
    return found


def test_the_exact_purchase_wins_over_a_later_one_and_else_the_latest(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line("1", "85048", 6),
        line("2", "85048", 12, MONDAY + DAY),
        line("3", "85048", 6, MONDAY + 2 * DAY, price=9.0),
        line("C4", "85048", -6, MONDAY + 3 * DAY),
        line("C5", "85048", -5, MONDAY + 4 * DAY),
    )

    assert cancelled_orders(result) == {"C4": ["1"], "C5": ["3"]}


def test_a_purchase_is_not_cancelled_twice_over(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line("1", "85048", 6),
        line("C2", "85048", -2, MONDAY + DAY),
        line("C3", "85048", -9, MONDAY + 2 * DAY),
        line("C4", "85048", -1, MONDAY + 3 * DAY),
    )

    assert cancelled_orders(result) == {"C2": ["1"], "C3": ["1"]}
    assert dict(result.first_rows) == {"no_earlier_purchase": ("4",)}
    assert result.match_rate == 2 / 3


def test_one_cancellation_of_two_orders_becomes_two_refunds(tmp_path: Path) -> None:
    result = imported(
        tmp_path,
        line("1", "85048", 1),
        line("2", "22041", 1),
        line("C3", "85048", -1, MONDAY + DAY),
        line("C3", "22041", -1, MONDAY + DAY),
    )

    assert cancelled_orders(result) == {"C3": ["1", "2"]}
    assert len({event["event_id"] for event in result.events.to_pylist()}) == 8


LEFT_OUT = [
    (line("2", "85048", 1, customer=None), "no_customer"),
    (line("2", "POST", 1), "not_goods"),
    (line("2", "gift_0001_20", 1), "not_goods"),
    (line("2", "C2", 1), "not_goods"),
    (line("2", "DCGS0058", 1), "not_goods"),
    (line("2", "BANK CHARGES", 1), "not_goods"),
    (line("A2", "B", 1, price=-5.0), "adjustment"),
    (line("2", "85048", 0), "zero_quantity"),
    (line("2", "85048", -1), "negative_quantity"),
    (line("C2", "85048", 1), "positive_cancellation"),
    (line("2", "85048", 1, price=0.0), "no_price"),
    (line("2", "85048", 1, price=0.0005), "unreadable"),
    (line("2", "85048", 1, price=float("nan")), "unreadable"),
    (line("2", "85048", 1.5), "unreadable"),
    (line("2", "85048", 1, None), "unreadable"),
    (line("1", "85048", 1, customer=7), "several_customers"),
    (line("C2", "22041", -1, MONDAY + DAY), "no_earlier_purchase"),
    (line("C2", "85048", -1, MONDAY), "no_earlier_purchase"),
    (line("C2", "85048", -1, MONDAY + DAY, customer=7), "no_earlier_purchase"),
]


@pytest.mark.parametrize(("left_out", "reason"), LEFT_OUT)
def test_a_line_that_is_not_mapped_is_rejected_with_its_reason_and_row(
    left_out: tuple[Any, ...], reason: str, tmp_path: Path
) -> None:
    result = imported(tmp_path, line("1", "85048", 1), left_out)

    assert result.first_rows[reason][-1] == "2"
    last = result.rejected.to_pylist()[-1]
    assert (last["row"], last["reason"], last["explanation"]) == (2, reason, REASONS[reason])
    assert (last["invoice"], last["stock_code"]) == left_out[:2]
    assert result.accepted + result.rejected.num_rows == result.read == 2


def test_every_reason_is_tried_by_some_test() -> None:
    assert {reason for _, reason in LEFT_OUT} | {"repeated_in_later_sheet"} == set(REASONS)


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        (datetime(2010, 7, 1, 12, 0), datetime(2010, 7, 1, 11, 0)),
        (datetime(2010, 3, 28, 1, 30), datetime(2010, 3, 28, 1, 0)),
        (datetime(2010, 10, 31, 1, 30), datetime(2010, 10, 31, 1, 30)),
    ],
    ids=["summer", "skipped hour: its end", "hour told twice: the later"],
)
def test_london_times_become_utc(local: datetime, utc: datetime, tmp_path: Path) -> None:
    (placed, _) = imported(tmp_path, line("1", "85048", 1, local)).events.to_pylist()

    assert placed["occurred_at"] == utc.replace(tzinfo=UTC)


def workbook(path: Path, *sheets: list[tuple[Any, ...]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, lines in enumerate(sheets):
        sheet = book.create_sheet(f"Year {number + 1}")
        sheet.append(XLSX)
        for invoice, code, quantity, at, price, customer, country in lines:
            cells = (int(c) if str(c).isdigit() else c for c in (invoice, code))
            sheet.append((*cells, "A THING", quantity, at, price, customer, country))
    book.save(path / "retail.xlsx")
    return path / "retail.xlsx"


def test_the_workbook_gives_the_same_events_as_the_parquet_file(tmp_path: Path) -> None:
    lines = [
        line("1", "85048", 12),
        line("1", "15056BL", 2, price=6.95),
        line("2", "22041", 1, customer=None),
        line("C3", "85048", -12, MONDAY + DAY),
    ]
    book = import_online_retail_ii(workbook(tmp_path, lines[:2], lines[2:]))

    assert book.events.equals(imported(tmp_path, *lines).events)
    assert dict(book.first_rows) == {"no_customer": ("Year 2!1",)}
    (rejected,) = book.rejected.to_pylist()
    assert (rejected["sheet"], rejected["row"]) == ("Year 2", 1)
    assert (rejected["invoice"], rejected["stock_code"]) == ("2", "22041")


def test_lines_that_the_second_sheet_repeats_count_once_and_repeats_inside_a_sheet_stay(
    tmp_path: Path,
) -> None:
    twice = [line("1", "85048", 1), line("1", "85048", 1)]
    book = import_online_retail_ii(
        workbook(tmp_path, twice, [*twice, line("1", "22041", 1), line("2", "85048", 1)])
    )

    assert dict(book.counts) == {"repeated_in_later_sheet": 2}
    assert book.first_rows["repeated_in_later_sheet"] == ("Year 2!1", "Year 2!2")
    amounts = {event["order_id"]: event["amount_fen"] for event in events(book, "order_paid")}
    assert amounts == {"1": 7_500, "2": 2_500}


def test_cells_that_hold_something_else_are_rejected_and_shown_as_they_stand(tmp_path: Path) -> None:
    sheet = [line("1", "85048", "many"), line("2", "85048", 1, "soon"), line("3", "85048", 1, 40182.5)]
    book = import_online_retail_ii(workbook(tmp_path, [*sheet, line("4", "85048", 1, "2010-01-04 09:30:00")]))

    assert dict(book.counts) == {"unreadable": 3}
    assert book.rejected["quantity"].to_pylist() == ["many", "1", "1"]
    assert book.rejected["invoice_date"].to_pylist() == ["2010-01-04 09:30:00", "soon", "40182.5"]
    assert book.orders == 1


def test_a_file_without_lines_is_an_empty_log(tmp_path: Path) -> None:
    book = import_online_retail_ii(workbook(tmp_path, []))

    assert (book.read, book.events.num_rows, book.match_rate, book.median_lag_days) == (0, 0, None, None)


def broken(path: Path, name: str, content: bytes) -> Path:
    (path / name).write_bytes(content)
    return path / name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("retail.xlsx", b"PK\x03\x04 half a workbook", "cannot be read"),
        ("retail.parquet", b"PAR1 half a file", "cannot be read"),
        ("retail.csv", b"Invoice,StockCode\n1,2\n", "missing columns: quantity, invoice_date, unit_price"),
        ("retail.txt", b"", "neither .xlsx, .parquet nor .csv"),
    ],
)
def test_a_file_in_no_published_form_is_refused(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=message):
        import_online_retail_ii(broken(tmp_path, name, content))


def test_a_zone_on_the_local_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="invoice_date has a zone"):
        imported(tmp_path, line("1", "85048", 1, MONDAY.replace(tzinfo=UTC)))


def shared_file() -> Path:
    repository = Path(__file__).resolve().parents[3]
    shared = Path(os.environ.get("BUYER_TIER_SHARED", repository.parent / "shared"))
    return shared / "data" / "online_retail_ii" / "online_retail_ii_to_2011_05.parquet"


@pytest.fixture(scope="module")
def real() -> RetailImport:
    file = shared_file()
    if not file.exists():
        reason = f"the shared file is absent: {file} (BUYER_TIER_SHARED names another folder)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return import_online_retail_ii(file)


def test_the_real_file_is_divided_without_loss_into_a_sound_log(real: RetailImport) -> None:
    assert (real.read, real.accepted, real.rejected.num_rows) == (711_967, 547_768, 164_199)
    assert dict(real.counts) == {
        "adjustment": 3,
        "no_customer": 160_180,
        "not_goods": 2_485,
        "no_price": 40,
        "no_earlier_purchase": 1_491,
    }
    assert split(real.events).rejected.num_rows == 0


def test_the_real_file_shows_the_published_facts(real: RetailImport) -> None:
    """The facts were measured to 2011-12; in a file that ends earlier fewer cancellations find a purchase."""
    assert (real.customers, real.buyers, real.orders) == (4_998, 4_908, 25_556)
    assert real.match_rate == pytest.approx(0.91, abs=0.04)
    shares = [float(np.mean(real.lag_days <= days)) for days in (1, 2, 7, 14, 60)]
    assert shares == pytest.approx([0.105, 0.13, 0.35, 0.55, 0.84], abs=0.03)
    assert real.median_lag_days == pytest.approx(11.3, abs=1.2)


def test_real_orders_and_buyers_cancel_as_often_as_published(real: RetailImport) -> None:
    log = real.events.select(["kind", "buyer_id", "order_id", "recorded_at"]).to_pandas()
    paid = log[log["kind"] == "order_paid"]
    granted = log[log["kind"] == "refund_granted"].merge(paid, on=["buyer_id", "order_id"])
    soon = granted[granted["recorded_at_x"] - granted["recorded_at_y"] <= pd.Timedelta(days=60)]

    assert soon["order_id"].nunique() / len(paid) == pytest.approx(0.164, abs=0.01)
    assert granted["buyer_id"].nunique() / paid["buyer_id"].nunique() == pytest.approx(0.396, abs=0.02)


def test_real_events_are_the_same_on_every_import(real: RetailImport, tmp_path: Path) -> None:
    shuffled = pq.read_table(shared_file())
    order = np.random.default_rng(1).permutation(shuffled.num_rows)
    pq.write_table(shuffled.take(pa.array(order)), tmp_path / "shuffled.parquet")

    again = import_online_retail_ii(tmp_path / "shuffled.parquet").events

    # Equal purchases may be matched in another order, but nothing else may change.
    orders = real.events.filter(pa.compute.match_like(real.events["kind"], "order%"))
    assert again.filter(pa.compute.match_like(again["kind"], "order%")).equals(orders)
