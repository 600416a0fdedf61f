"""Events and decisions come back as Parquet: all of them, once each, exactly as they came in."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from features.catalog import CATALOG
from features.errors import BadInput
from features.log import read_log
from serving import export_folder
from serving.errors import Unavailable
from serving.export import export, spool_events
from serving.store import arrow
from tests.serving.deciding import decided, run
from tests.serving.scenes import ASKED_AT, event, good_history, table
from tests.serving.test_verify import append, asked

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


def rows_of(folder: Path, what: str) -> list[dict[str, Any]]:
    parts = sorted((folder / f"{what}.parquet").glob("*.parquet"))
    return [row for part in parts for row in pq.read_table(part).to_pylist()]


def contents(folder: Path) -> dict[str, bytes]:
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


@pytest.fixture
def served(url: str) -> str:
    decided(url, [asked()], log=table(good_history()), at=NOW)
    return url


def test_events_come_back_exactly_as_they_were_ingested_and_are_a_log(url: str, tmp_path: Path) -> None:
    odd = event(
        "e,1", 'b"1', "order_placed", ASKED_AT, order_id="o", reason="", amount_fen=10**12, line_count=3
    )
    link = event("e2", "b\n2", "identity_linked", ASKED_AT - DAY, link_type="device", link_value="ü\\N")
    decided(url, [], log=table([odd, link]), at=NOW)
    done = export(url, tmp_path / "out")
    assert (done.new_events, done.new_decisions, done.events, done.decisions) == (2, 0, 2, 0)
    assert rows_of(tmp_path / "out", "events") == table([link, odd]).to_pylist()
    assert read_log(tmp_path / "out").num_rows == 2


def test_a_decision_comes_back_with_its_rules_and_its_vector_by_name(served: str, tmp_path: Path) -> None:
    export(served, tmp_path)
    (found,) = rows_of(tmp_path, "decisions")
    stored = dict(run(served, "SELECT * FROM decisions")[0])
    kept = stored.keys() - {
        "vector",
        "answer",
        "record",
        "request_digest",
        "arrival",
        "seen",
        "chain",
        "place",
        "hash",
    }
    assert {name: found[name] for name in kept} == {name: stored[name] for name in kept}
    assert np.array([found[name] for name in CATALOG.names]).tobytes() == stored["vector"]
    assert found["rules"] == json.loads(stored["answer"])["rules"]
    assert found["rules"][0].keys() == {"code", "passed", "detail"}


def test_a_second_run_adds_only_what_is_new_whenever_it_was_recorded(served: str, tmp_path: Path) -> None:
    export(served, tmp_path)
    before = contents(tmp_path)
    early = event("early", "good", "order_placed", ASKED_AT - 400 * DAY, order_id="x")
    append(served, [early])
    decided(served, [asked("AS-2", "b")], at=NOW)
    done = export(served, tmp_path)
    assert (done.new_events, done.new_decisions, done.events, done.decisions) == (1, 1, 9, 2)
    assert pq.read_table(tmp_path / "events.parquet" / "000002.parquet")["event_id"].to_pylist() == ["early"]
    after = contents(tmp_path)
    assert all(after[name] == before[name] for name in before if name != "manifest.json")
    assert read_log(tmp_path).num_rows == 9


def test_without_anything_new_no_part_is_added(served: str, tmp_path: Path) -> None:
    export(served, tmp_path)
    before = contents(tmp_path).keys()
    assert export(served, tmp_path).new_events == 0
    assert contents(tmp_path).keys() == before


def test_an_event_whose_transaction_ends_after_a_later_one_is_not_missed(url: str, tmp_path: Path) -> None:
    """The slow one has the lower number and the earlier time: by either it would be passed over."""
    columns = "event_id, buyer_id, kind, occurred_at, recorded_at"
    add = f"INSERT INTO events ({columns}) VALUES ($1, 'b', 'order_placed', $2, $2)"

    async def overlapping() -> tuple[int, int]:
        slow, fast = await asyncpg.connect(url), await asyncpg.connect(url)
        async with slow.transaction():
            await slow.execute(add, "slow", ASKED_AT)
            await fast.execute(add, "fast", ASKED_AT)
            first = await asyncio.to_thread(export, url, tmp_path)
        second = await asyncio.to_thread(export, url, tmp_path)
        await slow.close()
        await fast.close()
        return first.new_events, second.new_events

    assert asyncio.run(overlapping()) == (1, 1)
    assert [row["event_id"] for row in rows_of(tmp_path, "events")] == ["fast", "slow"]


def test_two_exports_of_one_database_are_equal_to_the_byte(served: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export(served, tmp_path / name)
    first, second = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert first.keys() == second.keys()
    parts = [name for name in first if name.endswith(".parquet")]
    assert len(parts) == 2
    assert all(first[name] == second[name] for name in parts)


def test_a_vector_of_a_catalog_that_nobody_remembers_comes_back_as_a_list(
    served: str, tmp_path: Path
) -> None:
    run(served, "UPDATE decisions SET catalog_version = 'cforgotten'")
    export(served, tmp_path)
    (found,) = rows_of(tmp_path, "decisions")
    stored = run(served, "SELECT vector FROM decisions")[0][0]
    assert np.array(found["vector"]).tobytes() == stored


def test_columns_that_were_declared_otherwise_are_named_by_the_catalog_of_the_decision(
    served: str, tmp_path: Path
) -> None:
    run(served, "INSERT INTO catalogs VALUES ('cold', $1::json)", json.dumps([["a", "c1"], ["b", "c2"]]))
    run(served, "UPDATE decisions SET catalog_version = 'cold', vector = substring(vector FROM 1 FOR 16)")
    try:
        export(served, tmp_path / "out")
        assert rows_of(tmp_path / "out", "decisions")[0].keys() >= {"a", "b"}
        run(served, "UPDATE decisions SET vector = substring(vector FROM 1 FOR 8)")
        with pytest.raises(BadInput, match="a stored vector has 1 values, its catalog 2"):
            export(served, tmp_path / "other")
        assert not (tmp_path / "other").exists()
    finally:
        run(served, "DELETE FROM catalogs WHERE catalog_version = 'cold'")


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(served: str, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"holds thesis\.txt and is no export"):
        export(served, tmp_path)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}
    with pytest.raises(BadInput, match="cannot be written"):
        export(served, tmp_path / "thesis.txt")


def test_an_export_of_another_database_is_not_added_to(served: str, tmp_path: Path) -> None:
    export(served, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (tmp_path / "manifest.json").write_text(json.dumps(manifest | {"database": "other"}))
    before = contents(tmp_path)
    with pytest.raises(BadInput, match="another database"):
        export(served, tmp_path)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"database": "x"}', '{"database": "x", "snapshot": "1\'; DROP", "parts": {}}']
)
def test_a_manifest_that_is_none_is_refused(served: str, tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BadInput, match="not an export's manifest"):
        export(served, tmp_path)


def test_an_export_that_lost_a_part_is_refused(served: str, tmp_path: Path) -> None:
    export(served, tmp_path)
    (tmp_path / "events.parquet" / "000001.parquet").unlink()
    with pytest.raises(BadInput, match=r"000001\.parquet is gone"):
        export(served, tmp_path)


def test_two_exports_at_once_into_one_folder_are_refused(served: str, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(BadInput, match="another export"):
        export(served, tmp_path)


def test_an_interrupted_run_is_made_good_by_the_next(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(served, tmp_path)
    before = contents(tmp_path)
    append(served, [event("new", "good", "order_placed", ASKED_AT, order_id="x")])

    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export_folder, "replacing", killed)
        with pytest.raises(KeyboardInterrupt):
            export(served, tmp_path)
    append(served, [event("newer", "good", "order_placed", ASKED_AT, order_id="y")])
    assert export(served, tmp_path).new_events == 2
    assert contents(tmp_path).items() >= {k: v for k, v in before.items() if k != "manifest.json"}.items()
    assert sorted(row["event_id"] for row in rows_of(tmp_path, "events"))[-2:] == ["new", "newer"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_leaves_nothing_half_written(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(served, tmp_path / "old")
    before = contents(tmp_path / "old")
    append(served, [event("new", "good", "order_placed", ASKED_AT, order_id="x")])
    real = pq.ParquetWriter
    monkeypatch.setattr(pq, "ParquetWriter", lambda _target, *a, **k: real("/dev/full", *a, **k))
    for folder in ("old", "new"):
        with pytest.raises(BadInput, match=r"cannot be written \(.*[Nn]o space"):
            export(served, tmp_path / folder)
    assert contents(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("read_before", [0, 1])
def test_a_database_that_goes_away_in_the_middle_leaves_nothing_half_written(
    served: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_before: int
) -> None:
    export(served, tmp_path / "old")
    before = contents(tmp_path / "old")
    read, end = (
        arrow._next,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()",
    )
    calls = iter(range(99))

    def cut(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
        if next(calls) == read_before:
            run(served, end)
        return read(reader)

    monkeypatch.setattr(arrow, "_next", cut)
    for folder in ("old", "new"):
        calls = iter(range(99))
        with pytest.raises(Unavailable, match="database"):
            export(served, tmp_path / folder)
    assert contents(tmp_path / "old") == before
    assert not (tmp_path / "new").exists()


def test_the_events_can_be_spooled_into_one_file(served: str, tmp_path: Path) -> None:
    assert spool_events(served, tmp_path / "events.parquet") == 8
    assert sorted(read_log(tmp_path)["event_id"].to_pylist()) == sorted(r["event_id"] for r in good_history())


def test_no_more_than_a_batch_is_held_in_memory(url: str, tmp_path: Path) -> None:
    fill = """
    INSERT INTO events (event_id, buyer_id, kind, occurred_at, recorded_at, reason)
    SELECT n::text, 'b', 'order_placed', now(), now(), repeat('x', 1000) FROM generate_series(1, 100000) AS n
    """
    run(url, fill)
    pa.default_memory_pool().release_unused()
    before, sizes = pa.total_allocated_bytes(), []
    spool = tmp_path / "big"
    export(url, spool, on_rows=lambda _what, _rows: sizes.append(pa.total_allocated_bytes() - before))
    assert len(sizes) > 4
    assert max(sizes) < 64 << 20
    shutil.rmtree(spool)
    assert os.listdir(tmp_path) == []
