"""What --events names is found wherever it is, or refused in one line that repeats no password."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from buyer_tier.cli import app, main
from buyer_tier.log_source import local_log, shown
from features.errors import BadInput
from features.log import read_log, write_log
from features.sources import remote
from tests.features.streams import BASE, table


def rows(*ids: str) -> pa.Table:
    paid = {"kind": "order_paid", "amount_fen": 100, "shop_id": "s", "category_id": "c"}
    at = {"occurred_at": BASE, "recorded_at": BASE}
    return table([{**paid, **at, "event_id": i, "buyer_id": "b", "order_id": f"o{i}"} for i in ids])


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert os.listdir(folder) == []


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def put(system: fsspec.AbstractFileSystem, name: str, events: pa.Table) -> None:
    with system.open(name, "wb") as file:
        (pacsv.write_csv if name.endswith(".csv") else pq.write_table)(events, file)


def ids(events: str) -> list[str]:
    with local_log(events) as path:
        return list(read_log(path)["event_id"].to_pylist())


def test_a_path_and_a_file_url_are_read_in_place(tmp_path: Path) -> None:
    written = write_log(rows("a"), tmp_path / "log")
    with local_log(str(written.parent)) as path:
        assert path == written.parent
    with local_log(f"file://{written.parent}") as path:
        assert path == written.parent


def test_a_folder_behind_a_url_is_read_as_a_local_one(bucket: fsspec.AbstractFileSystem) -> None:
    for part in ("b", "a"):
        put(bucket, f"/shop/day={part}/{part}.parquet", rows(part))
    put(bucket, "/shop/truth.parquet", rows("truth"))
    put(bucket, "/shop/_temporary/x.parquet", rows("x"))
    assert ids("memory://shop") == ["a", "b"]
    put(bucket, "/shop/events.parquet", rows("e"))
    assert ids("memory://shop") == ["e"]
    assert ids("memory://shop/day=b/b.parquet") == ["b"]


def test_csv_behind_a_url_is_read(bucket: fsspec.AbstractFileSystem) -> None:
    put(bucket, "/shop/log.csv", rows("a"))
    assert ids("memory://shop") == ids("memory://shop/log.csv") == ["a"]


def test_a_truth_behind_a_url_is_not_even_fetched(bucket: fsspec.AbstractFileSystem, tmp_path: Path) -> None:
    put(bucket, "/shop/truth.parquet", rows("t"))
    put(bucket, "/shop/a.parquet", rows("a"))
    remote.fetch("memory://shop", tmp_path / "copy", shown="it")
    assert [p.name for p in (tmp_path / "copy").iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ("memory://nothing", r"memory://nothing: no such file or folder"),
        ("memory://empty", r"memory://empty: holds no events\.parquet"),
        ("nonsense://x", "nonsense://x: cannot be read .*nonsense"),
        ("sftp://u:sec-ret@host/x", "sftp://u@host/x: cannot be read .*paramiko"),
        ("postgresql://u:sec-ret@127.0.0.1:1/x", r"postgresql://u@127\.0\.0\.1:1/x: cannot be read"),
        ("postgresql:///x?host=/nowhere&password=sec-ret", "postgresql:///x: cannot be read"),
    ],
)
def test_what_cannot_be_reached_is_refused_without_its_password(
    bucket: fsspec.AbstractFileSystem, events: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "paramiko", None)
    bucket.mkdir("/empty")
    with pytest.raises(BadInput, match=said) as refused, local_log(events):
        pass
    assert "sec-ret" not in str(refused.value)


def test_a_bad_log_behind_a_url_is_named_by_the_url(bucket: fsspec.AbstractFileSystem) -> None:
    with bucket.open("/shop/events.parquet", "wb") as file:
        file.write(b"PAR1 not really")
    with pytest.raises(BadInput, match=r"memory://shop/events\.parquet: cannot be read"):
        ids("memory://shop")


TERMINATED = """
import os, signal, sys, tempfile
from pathlib import Path
from buyer_tier import cli
from features.files import replacing

def app():
    with tempfile.TemporaryDirectory(dir=sys.argv[1]), replacing(Path(sys.argv[1], "out")):
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

cli.app = app
cli.main()
"""


def test_a_command_that_is_told_to_end_leaves_nothing_half_written(tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    done = subprocess.run([sys.executable, "-c", TERMINATED, folder], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (143, b"")
    assert os.listdir(folder) == []


def test_a_url_is_shown_without_password_and_parameters() -> None:
    assert shown("postgresql://u:p@h:5/db?password=p#p") == "postgresql://u@h:5/db"
    assert shown("s3://bucket/log") == "s3://bucket/log"


@pytest.mark.parametrize("url", ["postgres://u:secret@[::1/db", "s3://u:secret@[bucket/log"])
def test_a_url_that_cannot_be_taken_apart_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(BadInput, match=r"://…: is not well formed") as refused, local_log(url):
        pass
    assert "secret" not in str(refused.value)
    with pytest.raises(BadInput, match="cannot be looked at"), local_log("file:/tmp/log") as path:
        read_log(path)


def test_features_of_a_log_behind_a_url_are_those_of_the_log(
    bucket: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    put(bucket, "/shop/events.parquet", rows("a", "b"))
    write_log(rows("a", "b"), tmp_path / "log")
    for events, name in (("memory://shop", "far"), (str(tmp_path / "log"), "near")):
        options = ["--events", events, "--as-of", "2026-09-01T00:00:00Z", "--out", str(tmp_path / name)]
        result = CliRunner().invoke(app, ["features", *options])
        assert result.exit_code == 0, result.output
    assert (tmp_path / "far").read_bytes() == (tmp_path / "near").read_bytes()


def test_a_wrong_bucket_ends_with_exit_code_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["buyer-tier", "train", "--events", "memory://nothing"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    last = capfd.readouterr().err.strip().splitlines()[-1]
    assert last == "error: memory://nothing: no such file or folder"


@pytest.mark.parametrize(
    "password", ["p@ss/word", "p@ss", "pass/word", "pa:ss", "p%ss", "pass?word", "pa#ss"]
)
def test_a_password_that_breaks_its_url_is_not_repeated(password: str) -> None:
    with pytest.raises(BadInput) as refused, local_log(f"postgresql://u:{password}@127.0.0.1:1/x"):
        pass
    assert not any(piece in str(refused.value) for piece in ("pa", "ss", "word"))
