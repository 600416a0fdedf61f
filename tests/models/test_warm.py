"""The first explanation after an installation compiles nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FIRST_EXPLANATION = """
import gc
import numpy as np
from numba.core.dispatcher import Dispatcher
from models.buyer_score import BuyerScore
draw = np.random.default_rng(0)
X = draw.normal(size=(400, 5))
BuyerScore(max_trees=20).fit(X, X[:, 0] > 0.5).explain(X[0])
ours = [d for d in gc.get_objects() if isinstance(d, Dispatcher)]
made = [d for d in ours if d.py_func.__module__ == "models.fast_shap"]
assert any(sum(d.stats.cache_hits.values()) for d in made), "nothing came from the disk"
print("compiled:", sorted(d.py_func.__name__ for d in made if sum(d.stats.cache_misses.values())))
"""


def run(kept: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(kept)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
def test_after_warming_up_a_fresh_process_explains_without_compiling(tmp_path: Path) -> None:
    run(tmp_path, "-m", "models.warm")
    assert run(tmp_path, "-c", FIRST_EXPLANATION) == "compiled: []"
