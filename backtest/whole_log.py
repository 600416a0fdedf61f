"""A log in a form that can be read in pieces: Parquet as it is, CSV copied for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.log import is_checked_whole, read_log, write_log
from features.scan import Log, open_log
from features.scratch import Scratch


@contextmanager
def as_parquet(path: Path) -> Iterator[Log]:
    """Open a log; one with CSV is checked as a whole and copied to the folder for temporary files.

    Raises
    ------
    BadInput
        It breaks a rule of the contract or cannot be read.
    """
    if not is_checked_whole(path):
        yield open_log(path)
        return
    copy = Scratch()
    try:
        write_log(read_log(path), copy.path)
        yield open_log(copy.path)
    finally:
        copy.remove()
