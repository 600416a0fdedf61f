"""A log on disk gives what the log in memory gives, whatever its files, its order and the memory."""

from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import stream
from features.batch import feature_table
from features.catalog import CATALOG
from features.compile import Catalog
from features.declare import Count, Sum, Where
from features.errors import BadInput
from features.events import SCHEMA, TIMESTAMP
from features.needs import needs_of
from features.stream import feature_files, feature_table_of
from tests.features.streams import BUYERS, INSTANTS, dense_stream, sound, table

GIB = 1 << 30


@pytest.fixture(scope="module")
def events() -> pa.Table:
    rows = [{**e, "buyer_id": f"{e['buyer_id']}{s}", "event_id": f"{s}{e['event_id']}"}
            for s in range(12) for e in sound(dense_stream(s))]  # fmt: skip
    for row in rows:
        row["link_value"] = f"{row['link_value']}{row['buyer_id'][-1]}"
    return table(rows)


@pytest.fixture(scope="module")
def spine() -> pa.Table:
    asked = [(f"{b}{s}", t) for t in INSTANTS[::9] for s in range(13) for b in BUYERS]
    return pa.table({"buyer_id": [b for b, _ in asked], "as_of": pa.array([t for _, t in asked], TIMESTAMP)})


def same(found: pa.Table, wanted: pa.Table) -> bool:
    """Compare bytes: NaN equals NaN."""
    return found.schema == wanted.schema and all(
        a.to_pylist() == b.to_pylist()
        if a.type == pa.string()
        else a.cast(pa.int64()).equals(b.cast(pa.int64()))
        if a.type == TIMESTAMP
        else a.to_numpy().tobytes() == b.to_numpy().tobytes()
        for a, b in zip(found.columns, wanted.columns, strict=True)
    )


def tight(monkeypatch: pytest.MonkeyPatch, *, groups: int) -> None:
    """Let the buyers be cut into groups although the log is small."""
    cut = stream._groups

    def smaller(cost: np.ndarray, room: int | None) -> tuple[tuple[int, int], ...]:
        found = cut(cost, None if room is None else int(cost.sum() // groups + cost.max()))
        assert room is None or len(found) >= groups
        return found

    monkeypatch.setattr(stream, "_groups", smaller)


@pytest.mark.parametrize("shuffled", [False, True])
def test_unsorted_files_of_different_schemas_give_the_same_bytes_as_one_table(
    tmp_path: Path, events: pa.Table, spine: pa.Table, shuffled: bool
) -> None:
    if shuffled:
        events = events.take(np.random.default_rng(5).permutation(len(events)))
    folder = tmp_path / "events.parquet"
    folder.mkdir()
    third = len(events) // 3
    pq.write_table(events.slice(0, third), folder / "a.parquet")
    milliseconds = events.slice(third, third).set_column(
        4, "recorded_at", events["recorded_at"].slice(third, third).cast(pa.timestamp("ns", "Asia/Shanghai"))
    )
    pq.write_table(milliseconds.drop_columns(["imputed"]), folder / "b.parquet")
    rest = events.slice(2 * third)
    large = rest.set_column(1, "buyer_id", rest["buyer_id"].cast(pa.large_string()).dictionary_encode())
    pq.write_table(large, folder / "c.parquet", row_group_size=50)
    pq.write_table(events.slice(0, 0), folder / "empty.parquet")
    assert same(feature_table_of(tmp_path, spine), feature_table(events, spine))


def test_groups_of_buyers_change_no_byte_of_the_file(
    tmp_path: Path, events: pa.Table, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(events, tmp_path / "events.parquet")
    feature_files(tmp_path, spine, tmp_path / "whole.parquet")
    tight(monkeypatch, groups=4)
    monkeypatch.setattr(stream, "BLOCK_ROWS", 100)
    seen: list[tuple[int, int]] = []
    feature_files(tmp_path, spine, tmp_path / "cut.parquet", memory=GIB, on_group=lambda *at: seen.append(at))
    assert len(seen) >= 4
    assert same(pq.read_table(tmp_path / "cut.parquet"), pq.read_table(tmp_path / "whole.parquet"))
    assert same(pq.read_table(tmp_path / "cut.parquet"), feature_table(events, spine))
    assert same(feature_table_of(tmp_path, spine, memory=GIB), feature_table(events, spine))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.parquet", "events.parquet", "whole.parquet"]


def test_an_interrupted_run_goes_on_where_it_stopped(
    tmp_path: Path, events: pa.Table, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(events, tmp_path / "events.parquet")
    tight(monkeypatch, groups=4)
    out, computed, compute = tmp_path / "out.parquet", [], stream.compute_group

    def stopped(done: int, _of: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_files(tmp_path, spine, out, memory=GIB, on_group=stopped)
    assert not out.exists()
    monkeypatch.setattr(stream, "compute_group", lambda job, g: computed.append(g) or compute(job, g))
    feature_files(tmp_path, spine, out, memory=GIB)
    assert computed[0] == 2
    assert same(pq.read_table(out), feature_table(events, spine))


def test_groups_of_another_log_are_not_taken_over(
    tmp_path: Path, events: pa.Table, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(events, tmp_path / "events.parquet")
    tight(monkeypatch, groups=3)

    def stopped(_done: int, _of: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        feature_files(tmp_path, spine, tmp_path / "out.parquet", memory=GIB, on_group=stopped)
    changed = events.filter(pa.array(np.arange(len(events)) % 7 > 0))
    pq.write_table(changed, tmp_path / "events.parquet")
    feature_files(tmp_path, spine, tmp_path / "out.parquet", memory=GIB)
    assert same(pq.read_table(tmp_path / "out.parquet"), feature_table(changed, spine))


def test_a_disk_that_fills_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, events: pa.Table, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(events, tmp_path / "events.parquet")
    out = tmp_path / "out.parquet"
    out.write_text("old")
    tight(monkeypatch, groups=3)

    def full(*_of: object, **_named: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stream, "write_features", full)
    with pytest.raises(BadInput, match="No space left on device"):
        feature_files(tmp_path, spine, out, memory=GIB)
    assert out.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events.parquet", "out.parquet"]


def test_a_log_that_is_refused_in_the_middle_leaves_nothing_beside_the_output(
    tmp_path: Path, events: pa.Table, spine: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    amounts = pa.array([-1] + [None] * (len(events) - 1), pa.int64())
    at = events.column_names.index("amount_fen")
    pq.write_table(events.set_column(at, "amount_fen", amounts), tmp_path / "events.parquet")
    tight(monkeypatch, groups=3)
    with pytest.raises(BadInput, match="negative amount_fen"):
        feature_files(tmp_path, spine, tmp_path / "out.parquet", memory=GIB)
    assert [p.name for p in tmp_path.iterdir()] == ["events.parquet"]


def test_only_what_a_catalog_looks_at_is_needed() -> None:
    paid = Where(kinds=("order_paid",))
    said = {"reason": "r", "zh": "数", "en": "count", "windows": (7,)}
    count, fen = Count(name="n", where=paid, **said), Sum(name="s", where=paid, **said)
    needs = [
        needs_of(Catalog(f, reasons={"r": CATALOG.reasons["links"]}).plan) for f in ([count], [count, fen])
    ]
    assert [n.columns for n in needs] == [frozenset(), {"amount_fen"}]
    assert not needs[0].ties
    assert not needs[0].peers
    whole = needs_of(CATALOG.plan)
    assert whole.ties
    assert whole.peers
    assert {"order_id", "shop_id", "category_id", "line_count", "link_type"} <= whole.columns


def test_a_memory_too_small_is_refused(tmp_path: Path, spine: pa.Table) -> None:
    pq.write_table(SCHEMA.empty_table(), tmp_path / "events.parquet")
    with pytest.raises(BadInput, match="give at least 1024 MiB"):
        feature_files(tmp_path, spine, tmp_path / "out.parquet", memory=GIB - 1)


def test_a_log_without_events_gives_the_features_of_empty_histories(tmp_path: Path, spine: pa.Table) -> None:
    pq.write_table(SCHEMA.empty_table(), tmp_path / "events.parquet")
    assert same(feature_table_of(tmp_path, spine), feature_table(SCHEMA.empty_table(), spine))
