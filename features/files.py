"""Write files so that a reader finds the old one or the whole new one, never a part."""

from __future__ import annotations

import fcntl
import glob
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from features.errors import BadInput

LOCK: Final = ".lock"
"""The file of a claimed folder that its run holds."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; it takes the name of ``path`` when the block succeeds.

    What a killed run left is removed: a temporary file is locked for as long as its writer lives.

    Raises
    ------
    BadInput
        ``path`` is a folder, a device or a pipe, or its folder cannot be made or written to.
    """
    if os.path.isdir(path):
        raise BadInput(f"{path}: is a folder; name a file or remove it")
    if os.path.exists(path) and not os.path.isfile(path):  # as root, a file would take its place
        raise BadInput(f"{path}: is a device or a pipe, which no file may replace; name a file")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        try:
            with temporary.open("wb") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                yield temporary
                temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror or error})") from error


def _remove_leftovers(path: Path) -> None:
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError), left.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


@contextmanager
def claimed(folder: Path, *, result: Path) -> Iterator[None]:
    """Make a folder and keep other runs out of it; one process may claim it again within.

    Raises
    ------
    BadInput
        Another run has it, or it cannot be made; the message names ``result``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0, is_singleton=True)
        lock.acquire()
    except Timeout:
        raise BadInput(f"{result}: another run is writing to it; wait for it") from None
    except OSError as error:
        raise BadInput(f"{result}: cannot be written ({error.strerror or error})") from error
    try:
        yield
    finally:
        lock.release()
