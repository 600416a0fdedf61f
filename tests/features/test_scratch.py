"""Temporary folders: one in use stays, one whose process was killed goes with the next."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from features.scratch import Scratch

HOLDING = """
import sys, time
from features.scratch import Scratch
folder = Scratch()
(folder.path / "rows.arrow").write_bytes(b"rows")
print(folder.path, flush=True)
time.sleep(120)
"""


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@contextmanager
def another_process() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    with subprocess.Popen([sys.executable, "-c", HOLDING], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_what_a_killed_process_left_goes_with_the_next_folder_and_what_is_in_use_stays() -> None:
    with another_process() as (process, left):
        own = Scratch()
        assert (left / "rows.arrow").exists()
        assert own.path.exists()
        process.kill()
        process.wait()
        assert (left / "rows.arrow").exists()
        Scratch()
        assert not left.exists()
        assert own.path.exists()


def test_a_folder_goes_with_its_holder_and_may_be_removed_before(temporary_files: Path) -> None:
    held, removed = Scratch(), Scratch()
    removed.remove()
    assert list(temporary_files.iterdir()) == [held.path]
    del held
    assert not list(temporary_files.iterdir())


def test_a_folder_that_another_clears_up_before_it_is_locked_is_made_anew(
    temporary_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, []

    def cleared_up_once(prefix: str) -> str:
        made.append(make(prefix=prefix))
        if len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", cleared_up_once)
    folder = Scratch()
    assert len(made) == 2
    assert list(temporary_files.iterdir()) == [folder.path]


def test_other_temporary_files_are_left_alone(temporary_files: Path) -> None:
    (temporary_files / "another").mkdir()
    Scratch().remove()
    assert (temporary_files / "another").exists()
