"""A log in a form that can be read in pieces: Parquet as it is, CSV copied for as long as it is needed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from features.log import is_checked_whole, read_log, write_log
from features.scan import Log, open_log


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
    folder = Path(tempfile.mkdtemp(prefix="buyer-tier-backtest-"))
    try:
        write_log(read_log(path), folder)
        yield open_log(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
