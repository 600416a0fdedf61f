from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from features.check_report import BadEvents
from features.errors import BadInput
from features.events import SCHEMA
from features.files import replacing
from features.log import read_log, split_log, write_log
from tests.features.log_rows import event, table, with_column

SOUND = table(event("a", "order_placed"), event("b"), event("c", "refund_granted", reason="changed, mind"))


def test_a_written_log_is_read_back_as_it_was(tmp_path: Path) -> None:
    written = write_log(SOUND, tmp_path / "new" / "shop")

    assert written == tmp_path / "new" / "shop" / "events.parquet"
    assert read_log(written.parent).equals(SOUND.cast(SCHEMA))
    assert read_log(written).equals(SOUND.cast(SCHEMA))
    assert sorted(p.name for p in written.parent.iterdir()) == ["events.parquet"]


def test_events_parquet_may_be_a_folder_of_parts(tmp_path: Path) -> None:
    parts = tmp_path / "events.parquet"
    (parts / "day=2").mkdir(parents=True)
    pq.write_table(SOUND.slice(1), parts / "part-1.parquet")
    pq.write_table(SOUND.slice(0, 1), parts / "part-0.parquet")
    pq.write_table(table(event("d")), parts / "day=2" / "part-9.parquet")
    (parts / "_SUCCESS.parquet").touch()
    (parts / ".part-1.parquet").touch()

    assert sorted(read_log(tmp_path)["event_id"].to_pylist()) == ["a", "b", "c", "d"]


def test_a_folder_without_events_parquet_is_all_its_files_but_the_truth(tmp_path: Path) -> None:
    pq.write_table(SOUND.slice(0, 2), tmp_path / "2026-01.parquet")
    pacsv.write_csv(SOUND.slice(2), tmp_path / "2026-02.csv")
    pq.write_table(pa.table({"buyer_id": ["a"]}), tmp_path / "truth.parquet")

    with pytest.raises(BadInput, match="its files disagree on a column's type"):
        read_log(tmp_path)

    (tmp_path / "2026-02.csv").unlink()
    assert read_log(tmp_path)["event_id"].to_pylist() == ["a", "b"]


def test_csv_and_parquet_of_one_log_are_read_alike(tmp_path: Path) -> None:
    pacsv.write_csv(SOUND, tmp_path / "log.csv")

    assert read_log(tmp_path / "log.csv").equals(SOUND.cast(SCHEMA))


def csv_of(rows: list[dict[str, Any]], path: Path, encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, SCHEMA.names)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_csv_values_are_checked_as_written_and_never_cast_silently(tmp_path: Path) -> None:
    rows = [
        event("a", amount_fen="12.5"),
        event("b", occurred_at="2026-03-01T12:00:00"),
        event("007", amount_fen="100", shop_id="0012"),
        event("d", amount_fen="-1"),
    ]
    report = split_log(csv_of(rows, tmp_path / "log.csv", "utf-8-sig"))

    assert report.first_rows == {
        "naive_time": (2,),
        "fractional_amount_fen": (1,),
        "negative_amount_fen": (4,),
    }
    assert report.accepted.select(["event_id", "shop_id", "amount_fen"]).to_pylist() == [
        {"event_id": "007", "shop_id": "0012", "amount_fen": 100}
    ]


def test_csv_whose_times_have_no_zone_is_refused_row_by_row(tmp_path: Path) -> None:
    rows = [event(name, occurred_at="2026-03-01", recorded_at="2026-03-01 12:00:00.5") for name in "ab"]

    assert split_log(csv_of(rows, tmp_path / "log.csv")).counts == {"naive_time": 2}


def test_a_bad_log_is_refused_with_counts_and_rows_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "log.parquet"
    pq.write_table(table(event("a"), event("a"), event("b", amount_fen=-1)), path)

    with pytest.raises(BadEvents) as refusal:
        read_log(path)

    assert str(refusal.value) == (
        f"{path}: 2 of 3 rows refused: 1 negative_amount_fen (row 3); 1 duplicate_event_id (row 2)"
    )
    assert refusal.value.report.accepted.num_rows == 1


def truncated(path: Path) -> Path:
    whole = write_log(SOUND, path).read_bytes()
    (path / "events.parquet").write_bytes(whole[: len(whole) // 2])
    return path


def text(path: Path, content: bytes, name: str = "log.csv") -> Path:
    (path / name).write_bytes(content)
    return path / name


def mixed(path: Path) -> Path:
    pq.write_table(SOUND, path / "1.parquet")
    naive = pa.nulls(3, pa.timestamp("us"))
    pq.write_table(with_column(SOUND, "occurred_at", naive), path / "2.parquet")
    return path


UNREADABLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no file": (lambda p: p / "absent", "absent: no such file or folder"),
    "empty folder": (lambda p: p, "holds no events.parquet and no other .parquet or .csv file"),
    "truncated Parquet": (truncated, "events.parquet: cannot be read"),
    "empty file": (lambda p: text(p, b"", "log.parquet"), "log.parquet: cannot be read"),
    "empty CSV": (lambda p: text(p, b""), "log.csv: cannot be read"),
    "CSV with missing columns": (
        lambda p: text(p, b"event_id,kind\na,order_paid\n"),
        "missing columns: buyer_id, occurred_at",
    ),
    "CSV with a broken row": (lambda p: text(p, b"event_id,kind\na\n"), "log.csv: cannot be read"),
    "CSV of another encoding": (
        lambda p: text(p, "event_id,备注\n".encode("gbk")),
        "log.csv: cannot be read",
    ),
    "another format": (lambda p: text(p, b"{}", "log.json"), "neither .parquet nor .csv"),
    "parts that disagree": (mixed, "its files disagree on a column's type"),
}


@pytest.mark.parametrize(("make", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_refused_in_one_line_that_names_it(
    make: Callable[[Path], Path], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as refusal:
        read_log(make(tmp_path))

    assert message in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_an_interrupted_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = write_log(SOUND, tmp_path)
    before = target.read_bytes()

    def interrupted_write() -> None:
        with replacing(target) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_write()

    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_a_device_or_a_pipe_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(BadInput, match="is a device or a pipe"), replacing(pipe):
        pass

    assert pipe.is_fifo()


def test_a_target_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "dir" / "events.parquet").mkdir(parents=True)

    with pytest.raises(BadInput, match="cannot be written"):
        write_log(SOUND, tmp_path / "file")
    with pytest.raises(BadInput, match="is a folder"):
        write_log(SOUND, tmp_path / "dir")
