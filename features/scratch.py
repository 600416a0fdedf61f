"""Folders among the temporary files that go with their holder, also when the holder is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

PREFIX: Final = "buyer-tier-scratch-"


class Scratch:
    """A folder that goes when nobody holds this object any more; making one clears up what the killed left.

    A folder is locked for as long as its process lives, so that one in use is never taken for a leftover.
    """

    def __init__(self) -> None:
        _remove_leftovers()
        self.path, held = _locked_folder()
        self._end = weakref.finalize(self, _remove, self.path, held)

    def remove(self) -> None:
        """Remove it now."""
        self._end()


def _locked_folder() -> tuple[Path, int]:
    while True:  # until it was locked before another process that clears up could
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        with suppress(FileNotFoundError):
            held = os.open(path, os.O_RDONLY)
            fcntl.flock(held, fcntl.LOCK_EX)
            if path.exists():
                return path, held
            os.close(held)


def _remove(path: Path, held: int) -> None:
    shutil.rmtree(path, ignore_errors=True)
    os.close(held)


def _remove_leftovers() -> None:
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another's, or gone meanwhile
            held = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(held)
