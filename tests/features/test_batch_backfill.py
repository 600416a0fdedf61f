"""A store of features computes what changed and nothing else, and always equals computing it all."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from features import backfill as module
from features.backfill import Backfilled, backfill, stored_days, write_stored
from features.batch import feature_table
from features.catalog import CATALOG
from features.compile import Catalog
from features.declare import Count, Where
from features.errors import BadInput
from features.events import TIMESTAMP
from features.scan import Log
from tests.features.streams import BASE, BUYERS, dense_stream, sound, table

DAYS = ("2025-06-03", "2025-07-01", "2025-08-30")
FEW = Catalog(CATALOG.families[:6], reasons=CATALOG.reasons)
ONE_MORE = Catalog(CATALOG.families[:7], reasons=CATALOG.reasons)


def spine(*days: str) -> pa.Table:
    asked = [(b, f"{d}T00:00:00Z") for d in days for b in BUYERS]
    as_of = pa.array([t for _, t in asked]).cast(TIMESTAMP)
    return pa.table({"buyer_id": pa.array([b for b, _ in asked], pa.string()), "as_of": as_of})


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


def add(log: Path, *, occurred: float, recorded: float) -> None:
    """Add a file with one event of that many days after the first."""
    event = {
        "event_id": "x",
        "buyer_id": "ann",
        "kind": "order_paid",
        "order_id": "o9",
        "amount_fen": 5,
        "occurred_at": BASE + timedelta(days=occurred),
        "recorded_at": BASE + timedelta(days=recorded),
    }
    pq.write_table(table([event]), log / "events.parquet" / "new.parquet")


SECOND = 30
"""Days from the first event to the second day of `DAYS`."""


@pytest.mark.parametrize(
    ("occurred", "recorded", "first"),
    [
        (0, 1, 0),
        (0, 2, 1),  # at the first day's instant itself: not known there
        (1, SECOND - 1, 1),
        (1, SECOND, 2),  # late: it occurred long before days that could not see it
        (60, 60, 2),
        (1, 90, 3),
    ],
)
def test_an_event_recomputes_exactly_the_days_that_can_see_it_however_late_it_is(
    log: Path, occurred: float, recorded: float, first: int
) -> None:
    run(log, *DAYS)
    add(log, occurred=occurred, recorded=recorded)
    families = 6 if first < 3 else 0
    assert run(log, *DAYS) == Backfilled(kept=DAYS[:first], computed=DAYS[first:], families=families)


def test_only_what_is_missing_is_computed(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[set[str], set[str]]] = []
    compute = module.feature_files

    def told(events: Log, pairs: pa.Table, out: Path, *, catalog: Catalog, memory: int | None) -> int:
        asked.append(({str(t)[:10] for t in pairs["as_of"].to_pylist()}, set(catalog.names)))
        return compute(events, pairs, out, catalog=catalog, memory=memory)

    monkeypatch.setattr(module, "feature_files", told)
    run(log, *DAYS[:2])
    run(log, *DAYS)
    run(log, *DAYS, catalog=ONE_MORE)
    few, new = set(FEW.names), set(ONE_MORE.names) - set(FEW.names)
    assert asked == [(set(DAYS[:2]), few), ({DAYS[2]}, few), (set(DAYS), new)]


def test_one_file_that_grows_and_is_written_anew_leaves_earlier_days_alone(log: Path) -> None:
    parts = log / "events.parquet"
    whole = pq.read_table(parts).sort_by([("event_id", "descending")])
    run(log, *DAYS)
    for file in parts.iterdir():
        file.unlink()
    pq.write_table(whole, parts / "all.parquet", compression="none", row_group_size=7)
    assert run(log, *DAYS).computed == ()
    add(log, occurred=60, recorded=60)
    grown = pq.read_table(parts)
    (parts / "new.parquet").unlink()
    pq.write_table(grown, parts / "all.parquet")
    assert run(log, *DAYS).computed == DAYS[2:]


def test_a_feature_whose_meaning_changes_under_its_name_is_computed_again(log: Path) -> None:
    run(log, *DAYS)
    counted = next(i for i, f in enumerate(FEW.families) if isinstance(f, Count))
    other = [*FEW.families]
    other[counted] = replace(other[counted], where=Where(kinds=("refund_requested",)))
    changed = Catalog(other, reasons=CATALOG.reasons)
    assert changed.names == FEW.names
    assert run(log, *DAYS, catalog=changed).families == 1


def test_another_version_of_the_engine_computes_everything_again(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(log, *DAYS)
    monkeypatch.setattr(module, "ENGINE", module.ENGINE + 1)
    assert run(log, *DAYS).computed == DAYS


def test_two_runs_write_the_same_bytes_and_a_day_added_later_too(log: Path) -> None:
    written = []
    for name, steps in (("one", (DAYS,)), ("two", (DAYS,)), ("later", (DAYS[:1], DAYS))):
        for days in steps:
            backfill(log, spine(*days), log.parent / name, catalog=FEW)
        write_stored(log.parent / name, log.parent / f"{name}.parquet", catalog=FEW)
        written.append((log.parent / f"{name}.parquet").read_bytes())
    assert written[0] == written[1] == written[2]


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


@pytest.mark.parametrize("there", ["day=2026-01-01/events.parquet", "2026-01-01/events.parquet", "notes.txt"])
def test_a_folder_of_something_else_is_no_store_and_keeps_all_it_has(log: Path, there: str) -> None:
    file = log.parent / "store" / there
    file.parent.mkdir(parents=True)
    file.write_text("kept")
    with pytest.raises(BadInput, match="and no features by day; name an empty or a new folder"):
        run(log, *DAYS)
    assert file.read_text() == "kept"
    assert [found.name for found in (log.parent / "store").iterdir()] == [there.split("/")[0]]


def test_what_lies_beside_the_days_of_a_store_is_not_removed(log: Path) -> None:
    run(log, *DAYS)
    file = log.parent / "store" / "models" / "scores.parquet"
    file.parent.mkdir()
    file.write_text("kept")
    run(log, *DAYS[1:])
    assert file.read_text() == "kept"


def test_a_spine_without_rows_gives_a_store_without_days(log: Path) -> None:
    nothing = backfill(log, spine(), log.parent / "store", catalog=FEW)
    assert nothing == Backfilled(kept=(), computed=(), families=0)
    assert write_stored(log.parent / "store", log.parent / "out.parquet", catalog=FEW) == 0
    assert pq.read_schema(log.parent / "out.parquet") == FEW.schema


def test_two_runs_of_one_store_do_not_meet(log: Path) -> None:
    run(log, *DAYS)
    with FileLock(log.parent / "store" / ".lock"), pytest.raises(BadInput, match="another run"):
        run(log, *DAYS)


def test_a_store_that_lacks_a_feature_says_so(log: Path) -> None:
    run(log, *DAYS)
    with pytest.raises(BadInput, match=r"lacks .*; run the backfill again"):
        list(stored_days(log.parent / "store"))
