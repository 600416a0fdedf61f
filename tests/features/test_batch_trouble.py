"""A disk that fills, a process that is killed, two that run at once: no part of a file, no wrong bytes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features import stream
from features.backfill import backfill, write_stored
from features.batch import spine_of
from features.census import buyers_of
from features.errors import BadInput
from features.files import replacing
from features.scan import open_log
from features.stream import feature_files
from tests.features.streams import BASE, INSTANTS, dense_stream, sound, table

WHEN = INSTANTS[-1]
ROOT = Path(__file__).parents[2]

CUT = """
import sys, os, signal, time
from datetime import datetime
from pathlib import Path
import pyarrow.parquet as pq
from features import backfill, stream
folder, when, then = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), sys.argv[3]
cut = stream._groups
stream._groups = lambda cost, room: cut(cost, room and int(cost.sum() // 4 + cost.max()))
done, wrote, write = [], [], stream.write_features

def die(): os.kill(os.getpid(), signal.SIGKILL)

def told(n, _of):
    if n == 2 and then == "die in a group": die()
    if n == 2 and then == "wait":
        (folder / "waiting").touch()
        while not (folder / "go").exists(): time.sleep(0.01)

def dying(tables, target, *, schema):
    write([next(iter(tables))], target, schema=schema)
    target.open("ab").write(b"half")
    die()

if then == "die while writing": stream.write_features = dying
stream.feature_files(folder / "events.parquet", when, folder / "out.parquet", memory=1 << 30, on_group=told)
"""
STORE = """
import sys, os, signal
from pathlib import Path
import pyarrow.parquet as pq
from features import backfill
from features.backfill import pq as parquet
write, calls = parquet.write_table, []

def dying(*given, **named):
    calls.append(1)
    if len(calls) == int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)
    write(*given, **named)

parquet.write_table = dying
folder = Path(sys.argv[1])
backfill.backfill(folder / "events.parquet", pq.read_table(folder / "spine.parquet"), folder / "store")
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rows = [{**e, "buyer_id": f"{e['buyer_id']}{s}", "event_id": f"{s}{e['event_id']}"}
            for s in range(6) for e in sound(dense_stream(s))]  # fmt: skip
    pq.write_table(table(rows), tmp_path / "events.parquet")
    return tmp_path


def command(script: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", script, *arguments]


def killed(script: str, *arguments: str) -> None:
    done = subprocess.run(command(script, *arguments), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Cut buyers into groups as the killed process did; tell which groups are computed."""
    cut, compute, found = stream._groups, stream.compute_group, []
    monkeypatch.setattr(
        stream, "_groups", lambda cost, room: cut(cost, room and int(cost.sum() // 4 + cost.max()))
    )
    monkeypatch.setattr(stream, "compute_group", lambda job, g: found.append(g) or compute(job, g))
    return found


@pytest.mark.parametrize(("moment", "left"), [("die in a group", [2, 3]), ("die while writing", [])])
def test_a_run_within_a_memory_that_is_killed_goes_on_to_the_same_bytes(
    log: Path, computed: list[int], moment: str, left: list[int]
) -> None:
    feature_files(log / "events.parquet", WHEN, log / "whole.parquet")
    killed(CUT, str(log), WHEN.isoformat(), moment)
    assert not (log / "out.parquet").exists()
    computed.clear()
    feature_files(log / "events.parquet", WHEN, log / "out.parquet", memory=1 << 30)
    assert computed == left
    assert (log / "out.parquet").read_bytes() == (log / "whole.parquet").read_bytes()
    assert names(log) == ["events.parquet", "out.parquet", "whole.parquet"]


@pytest.mark.parametrize("file", [1, 2, 3])
def test_a_store_whose_run_is_killed_goes_on_to_the_same_bytes(log: Path, file: int) -> None:
    buyers = buyers_of(open_log(log / "events.parquet"))
    spine = pa.concat_tables(spine_of(buyers, BASE + timedelta(days=d)) for d in (20, 60, 400))
    pq.write_table(spine, log / "spine.parquet")
    killed(STORE, str(log), str(file))
    backfill(log / "events.parquet", spine, log / "store")
    backfill(log / "events.parquet", spine, log / "clean")
    for name in ("store", "clean"):
        write_stored(log / name, log / f"{name}.parquet")
    assert (log / "store.parquet").read_bytes() == (log / "clean.parquet").read_bytes()
    stored = [sorted(str(p.relative_to(log / n)) for p in (log / n).rglob("*")) for n in ("store", "clean")]
    assert stored[0] == stored[1]


def test_of_two_runs_within_a_memory_to_one_file_the_second_is_refused(
    log: Path, computed: list[int]
) -> None:
    first = subprocess.Popen(command(CUT, str(log), WHEN.isoformat(), "wait"), cwd=ROOT)
    try:
        while not (log / "waiting").exists():
            assert first.poll() is None
            time.sleep(0.01)
        with pytest.raises(BadInput, match=r"out.parquet: another run is writing to it; wait for it"):
            feature_files(log / "events.parquet", WHEN, log / "out.parquet", memory=1 << 30)
        (log / "go").touch()
        assert first.wait(60) == 0
    finally:
        first.kill()
        first.wait()
    feature_files(log / "events.parquet", WHEN, log / "whole.parquet")
    assert (log / "out.parquet").read_bytes() == (log / "whole.parquet").read_bytes()


def test_two_runs_to_one_file_at_once_leave_a_whole_file_of_the_last(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    writer = "import sys; from pathlib import Path; from features.files import replacing\n"
    writer += "with replacing(Path(sys.argv[1])) as t: t.write_text('other')"
    with replacing(out) as temporary:
        temporary.write_text("mine")
        subprocess.run(command(writer, str(out)), cwd=ROOT, check=True)
        assert out.read_text() == "other"
    assert out.read_text() == "mine"
    assert names(tmp_path) == ["out.parquet"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk needs root's powers")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def many_rows(log: Path) -> pa.Table:
    buyers = pa.array([f"nobody {i}" for i in range(20_000)])
    return spine_of(
        pa.chunked_array([buyers, buyers_of(open_log(log / "events.parquet"))]).combine_chunks(), WHEN
    )


def test_a_disk_that_is_full_is_said_and_left_as_it_was(log: Path, small_disk: Path) -> None:
    out = small_disk / "out.parquet"
    out.write_bytes(b"old" * 690_000)
    with pytest.raises(BadInput, match=r"out.parquet: cannot be written .*No space left"):
        feature_files(log / "events.parquet", many_rows(log), out)
    with pytest.raises(BadInput, match=r"cannot be written .*No space left"):
        backfill(log / "events.parquet", many_rows(log), small_disk / "store")
    assert out.read_bytes() == b"old" * 690_000
    assert names(small_disk / "store") == [".lock", "manifest.json"]
    assert names(small_disk) == ["out.parquet", "store"]


def test_groups_that_fill_the_disk_are_removed(log: Path, small_disk: Path, computed: list[int]) -> None:
    with pytest.raises(BadInput, match=r"out.parquet: cannot be written .*No space left"):
        feature_files(log / "events.parquet", many_rows(log), small_disk / "out.parquet", memory=1 << 30)
    assert computed
    assert names(small_disk) == []


def test_a_limit_on_a_files_size_is_a_full_disk_too(log: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(BadInput, match=r"out.parquet: cannot be written .*File too large"):
            feature_files(log / "events.parquet", WHEN, log / "out.parquet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert names(log) == ["events.parquet"]


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match="is a device or a pipe"), replacing(tmp_path / "pipe") as temporary:
        temporary.write_text("features")
    assert names(tmp_path) == ["pipe"]
    assert (tmp_path / "pipe").is_fifo()
