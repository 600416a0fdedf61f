"""Where a model came from: a fingerprint of the events, the commit of the code."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def fingerprint(events: pa.Table) -> str:
    """Hash what the events say: equal for equal rows in any order, another for any other value.

    Each row's columns are mixed in the order of their names; the rows' hashes are summed modulo 2**64.
    """
    mixed = np.zeros(len(events), dtype=np.uint64)
    for name in sorted(events.column_names):
        mixed = (mixed * np.uint64(31) + _row_hashes(events[name])) ^ np.uint64(_word(name))
    total = int(pd.util.hash_array(mixed).sum(dtype=np.uint64))
    return f"{total:016x}-{len(events)}"


def git_commit() -> str | None:
    """Commit of this code, with `+dirty` if it was changed since; None outside of its repository."""
    here = Path(__file__)
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    commit = _git(here.parent, "rev-parse", "--verify", "HEAD")
    changed = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}+dirty" if commit and changed else commit


def _git(directory: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", *words], cwd=directory, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _row_hashes(column: pa.ChunkedArray) -> NDArray[np.uint64]:
    if not pa.types.is_string(column.type):
        values = pc.fill_null(column.cast(pa.int64()), -1).to_numpy()
        return np.asarray(pd.util.hash_array(values), dtype=np.uint64)
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    words = [0 if word is None else _word(word) for word in encoded.dictionary.to_pylist()]
    return np.asarray(np.array(words, dtype=np.uint64)[encoded.indices.to_numpy()])


def _word(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
