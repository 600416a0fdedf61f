"""Machine code is made once, is never older than any file it came from, and is found by who may only read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import features
from features.machine_code import SOURCES, source_stamp

PACKAGE = Path(features.__file__).parent

FIRST_USE = """
import gc, sys
from datetime import UTC, datetime
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from numba.core.dispatcher import Dispatcher
from features.events import SCHEMA
from features.packed import append_rows, pack_rows, packed_vector
from features.stream import feature_files
when = datetime(2026, 1, 1, tzinfo=UTC)
row = dict.fromkeys(SCHEMA.names) | {
    "buyer_id": "b", "kind": "order_paid", "order_id": "o", "shop_id": "s", "category_id": "c",
    "amount_fen": 5, "line_count": 1, "occurred_at": when, "recorded_at": when}
old = dict.fromkeys(("occurred_at", "recorded_at"), datetime(2021, 1, 1, tzinfo=UTC))
rows = [row | {"event_id": f"e{i}"} | (old if i == 0 else {}) for i in range(3)]
folder = Path(sys.argv[1])
pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), folder / "events.parquet")
feature_files(folder, datetime(2026, 2, 1, tzinfo=UTC), folder / "out.parquet")
packed = append_rows(pack_rows(rows[:2], buyer_id="b"), rows[2:])
packed_vector(packed, as_of=datetime(2026, 2, 1, tzinfo=UTC))
made = [d for d in gc.get_objects() if isinstance(d, Dispatcher) and "features." in d.py_func.__module__]
assert made and any(sum(d.stats.cache_hits.values()) for d in made), "nothing came from the disk"
print("compiled:", sorted(d.py_func.__name__ for d in made if sum(d.stats.cache_misses.values())))
"""


def first_use(
    folder: Path, *, package: Path = PACKAGE, before: tuple[str, ...] = (), **environment: str
) -> str:
    command = [*before, sys.executable, "-c", FIRST_USE, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(package.parent), "HOME": "/nowhere", **environment}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def warm(**environment: str) -> None:
    command = [sys.executable, "-m", "features.warm"]
    subprocess.run(command, cwd=PACKAGE.parent, env={**os.environ, **environment}, check=True)


@pytest.mark.slow
def test_after_warming_up_a_fresh_process_compiles_nothing(tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    warm(NUMBA_CACHE_DIR=kept)
    assert first_use(tmp_path, NUMBA_CACHE_DIR=kept) == "compiled: []"


def test_who_may_only_read_the_installed_package_uses_what_was_compiled_at_install(tmp_path: Path) -> None:
    warm()
    unfinished = shutil.ignore_patterns("*.tmp.*", "*.pyc.*")  # of another process that is writing just now
    package = shutil.copytree(PACKAGE, tmp_path / "site" / "features", ignore=unfinished)
    work = tmp_path / "work"
    work.mkdir()
    for folder in (package, package / "__pycache__"):
        folder.chmod(0o555)
    try:
        assert first_use(work, package=package, before=_without_root()) == "compiled: []"
    finally:
        for folder in (package, package / "__pycache__"):
            folder.chmod(0o755)


@pytest.mark.parametrize("name", SOURCES)
def test_an_edit_in_any_source_makes_the_machine_code_stale(tmp_path: Path, name: str) -> None:
    for source in SOURCES:
        shutil.copy(PACKAGE / f"{source}.py", tmp_path)
    assert source_stamp(tmp_path) == source_stamp()
    with (tmp_path / f"{name}.py").open("a") as file:
        file.write("\n")
    source_stamp.cache_clear()
    assert source_stamp(tmp_path) != source_stamp()


def test_every_module_with_compiled_functions_and_all_that_they_take_in_are_sources() -> None:
    text = {path.stem: path.read_text() for path in PACKAGE.glob("*.py")}
    compiled = {name for name, said in text.items() if re.search(r"^@compiled$", said, re.MULTILINE)}
    assert compiled >= {"arrange", "fold", "kernel", "matching"}
    assert compiled <= set(SOURCES)
    assert not [name for name, said in text.items() if re.search(r"^@njit|njit\(cache", said, re.MULTILINE)]


def _without_root() -> tuple[str, ...]:
    """Root writes where it may not; take that power away."""
    if os.geteuid():
        return ()
    if shutil.which("setpriv") is None:
        pytest.skip("root writes anywhere, and setpriv is missing")
    powers = "-dac_override,-dac_read_search,-fowner"
    return ("setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}")
