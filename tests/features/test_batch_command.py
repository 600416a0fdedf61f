"""``buyer-tier features`` within a memory and with a store writes what it writes in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from buyer_tier.cli import app
from buyer_tier.commands.features import instant, size_in_bytes
from features.errors import BadInput
from tests.features.streams import BASE, table

AS_OF = ["--as-of", "2026-01-01T00:00:00Z"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    paid = {"kind": "order_paid", "amount_fen": 100, "shop_id": "s", "category_id": "c"}
    rows = [
        {**paid, "event_id": f"e{i}", "buyer_id": f"b{i % 3}", "order_id": f"o{i}", "occurred_at": BASE,
         "recorded_at": BASE}
        for i in range(9)
    ]  # fmt: skip
    pq.write_table(table(rows), tmp_path / "events.parquet")
    return tmp_path


def run(log: Path, name: str, *options: str) -> dict[str, object]:
    command = ["features", "--events", str(log), *AS_OF, "--out", str(log / name), "--json", *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_memory_and_store_write_the_same_file_as_in_memory(log: Path) -> None:
    assert run(log, "plain.parquet")["rows"] == 3
    assert run(log, "small.parquet", "--memory", "1GiB")["rows"] == 3
    first = run(log, "kept.parquet", "--store", str(log / "store"))
    again = run(log, "kept.parquet", "--store", str(log / "store"))
    assert (first["days_computed"], again["days_computed"], again["days_kept"]) == (1, 0, 1)
    wanted = pq.read_table(log / "plain.parquet").to_pandas()
    for name in ("small", "kept"):
        assert pq.read_table(log / f"{name}.parquet").to_pandas().equals(wanted)


@pytest.mark.parametrize(
    ("text", "size"), [("1GiB", 1 << 30), ("4 GB", 4 << 30), ("1.5G", 3 << 29), ("1500MiB", 1500 << 20)]
)
def test_a_size_is_read_in_powers_of_1024(text: str, size: int) -> None:
    assert size_in_bytes(text, option="--memory") == size


@pytest.mark.parametrize("text", ["4", "much", "-1GiB", ""])
def test_another_size_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="give a size such as 4GiB"):
        size_in_bytes(text, option="--memory")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-09-01T00:00:00", "has no time zone"),
        ("2026-09-01T00:00:00.0000001Z", "is finer than a microsecond"),
        ("0001-01-01T00:00:00+14:00", "is outside the years 1 to 9999 in UTC"),
        ("9999-12-31T23:59:59-14:00", "is outside the years 1 to 9999 in UTC"),
        ("1764547200000", "give ISO 8601"),
    ],
)
def test_an_instant_that_is_not_exact_is_refused(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        instant(text, option="--as-of")


@pytest.mark.parametrize("inside", ["2026.parquet", "new.parquet", "day/new.parquet", "."])
def test_features_are_not_written_into_the_log_that_they_are_read_from(log: Path, inside: str) -> None:
    (log / "events.parquet").rename(log / "2026.parquet")
    before = {file: file.read_bytes() for file in log.iterdir()}
    for target in (["--out", str(log / inside)], ["--out", "elsewhere", "--store", str(log / inside)]):
        result = CliRunner().invoke(app, ["features", "--events", str(log), *AS_OF, *target])
        assert isinstance(result.exception, BadInput)
        assert "lies in the event log; name one outside of it" in str(result.exception)
    assert {file: file.read_bytes() for file in log.iterdir()} == before


def test_features_do_not_replace_their_spine(log: Path) -> None:
    spine = log / "spine.csv"
    spine.write_text("buyer_id,as_of\nb1,2026-01-01T00:00:00Z\n")
    command = ["features", "--events", str(log), "--spine", str(spine), "--out", str(spine)]
    with pytest.raises(BadInput, match=r"spine.csv: is the spine; name another file"):
        CliRunner().invoke(app, command, catch_exceptions=False)
