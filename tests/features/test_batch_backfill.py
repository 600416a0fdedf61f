"""A store of features computes what changed and nothing else, and always equals computing it all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from features import backfill as module
from features.backfill import Backfilled, backfill, stored_days
from features.batch import feature_table
from features.catalog import CATALOG
from features.compile import Catalog
from features.errors import BadInput
from features.events import TIMESTAMP
from tests.features.streams import BASE, BUYERS, dense_stream, sound, table

DAYS = ("2025-06-03", "2025-07-01", "2025-08-30")
FEW = Catalog(CATALOG.families[:6], reasons=CATALOG.reasons)
ONE_MORE = Catalog(CATALOG.families[:7], reasons=CATALOG.reasons)


def spine(*days: str) -> pa.Table:
    asked = [(b, f"{d}T00:00:00Z") for d in days for b in BUYERS]
    as_of = pa.array([t for _, t in asked]).cast(TIMESTAMP)
    return pa.table({"buyer_id": [b for b, _ in asked], "as_of": as_of})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Write a file of what is recorded before the second day, and one of the rest."""
    folder = tmp_path / "log" / "events.parquet"
    folder.mkdir(parents=True)
    rows = sound(dense_stream(3))
    cut = BASE + timedelta(days=30)
    pq.write_table(table([r for r in rows if r["recorded_at"] < cut]), folder / "june.parquet")
    pq.write_table(table([r for r in rows if r["recorded_at"] >= cut]), folder / "later.parquet")
    return tmp_path / "log"


def run(log: Path, *days: str, catalog: Catalog = FEW) -> Backfilled:
    store = log.parent / "store"
    done = backfill(log, spine(*days), store, catalog=catalog)
    events = pq.read_table(log / "events.parquet")
    found = pa.concat_tables(stored_days(store, catalog=catalog))
    wanted = feature_table(events, spine(*days), catalog=catalog)
    for name in wanted.column_names:
        assert found[name].to_pandas().equals(wanted[name].to_pandas()), name
    return done


def test_a_second_run_computes_nothing(log: Path) -> None:
    assert run(log, *DAYS) == Backfilled(kept=(), computed=DAYS, families=6)
    assert run(log, *DAYS) == Backfilled(kept=DAYS, computed=(), families=0)


def test_a_new_day_computes_that_day(log: Path) -> None:
    run(log, *DAYS[:2])
    assert run(log, *DAYS) == Backfilled(kept=DAYS[:2], computed=DAYS[2:], families=6)


def test_a_new_feature_computes_that_feature(log: Path) -> None:
    run(log, *DAYS)
    assert run(log, *DAYS, catalog=ONE_MORE).families == 1


def test_events_recorded_later_leave_earlier_days_alone(log: Path) -> None:
    run(log, *DAYS)
    late = {"event_id": "x", "buyer_id": "ann", "kind": "order_paid", "amount_fen": 5}
    when = BASE + timedelta(days=60)
    extra = table([{**late, "occurred_at": when, "recorded_at": when}])
    pq.write_table(extra, log / "events.parquet" / "new.parquet")
    assert run(log, *DAYS) == Backfilled(kept=DAYS[:2], computed=DAYS[2:], families=6)


def test_events_recorded_earlier_recompute_every_day_that_can_see_them(log: Path) -> None:
    run(log, *DAYS)
    when = BASE + timedelta(days=10)
    early = {
        "event_id": "x",
        "buyer_id": "ann",
        "kind": "order_paid",
        "occurred_at": when,
        "recorded_at": when,
    }
    pq.write_table(table([early]), log / "events.parquet" / "new.parquet")
    assert run(log, *DAYS) == Backfilled(kept=DAYS[:1], computed=DAYS[1:], families=6)


def test_a_file_rewritten_with_the_same_size_and_time_range_is_noticed(log: Path) -> None:
    run(log, *DAYS)
    file = log / "events.parquet" / "june.parquet"
    events = pq.read_table(file)
    amounts = [None if a is None else a + 1 for a in events["amount_fen"].to_pylist()]
    at = events.column_names.index("amount_fen")
    pq.write_table(events.set_column(at, "amount_fen", pa.array(amounts, pa.int64())), file)
    assert run(log, *DAYS).computed == DAYS


def test_a_damaged_part_is_computed_again(log: Path) -> None:
    run(log, *DAYS)
    part = next((log.parent / "store" / DAYS[1]).glob("*.parquet"))
    part.write_bytes(part.read_bytes()[:100])
    assert run(log, *DAYS) == Backfilled(kept=(DAYS[0], DAYS[2]), computed=(DAYS[1],), families=6)


def test_a_day_no_longer_asked_for_is_removed(log: Path) -> None:
    run(log, *DAYS)
    run(log, *DAYS[1:])
    assert sorted(p.name for p in (log.parent / "store").iterdir() if p.is_dir()) == sorted(DAYS[1:])


def test_a_run_killed_between_days_is_taken_up_again(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(log, *DAYS[:1])
    write = module._write_manifest
    calls: list[int] = []

    def dies(*of: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        write(*of)

    monkeypatch.setattr(module, "_write_manifest", dies)
    with pytest.raises(KeyboardInterrupt):
        run(log, *DAYS)
    monkeypatch.undo()
    assert run(log, *DAYS).kept[:1] == DAYS[:1]


def test_two_runs_of_one_store_do_not_meet(log: Path) -> None:
    run(log, *DAYS)
    with FileLock(log.parent / "store" / ".lock"), pytest.raises(BadInput, match="another run"):
        run(log, *DAYS)


def test_a_store_that_lacks_a_feature_says_so(log: Path) -> None:
    run(log, *DAYS)
    with pytest.raises(BadInput, match=r"lacks .*; run the backfill again"):
        list(stored_days(log.parent / "store"))
