"""Try whether a saved model answers where nothing else of ours is, and how soon."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.self_check import FILE
from models.travelling_code import package_name, write_package

WALL_SECONDS: Final = 120.0
PROGRAM: Final = """
import importlib, json, sys, time
where, package, model = sys.argv[1:4]
sys.path.insert(0, where)
import numpy as np, pandas as pd
kept = json.load(open(sys.argv[4], encoding="utf-8"))
began = time.process_time()
loaded = importlib.import_module(package + ".pyfunc")._load_pyfunc(model)
load = time.process_time() - began
names = list(loaded.score.get_feature_names_out())
X = pd.DataFrame(np.array(kept["vectors"], dtype=float), columns=names)
gap = float(np.abs(loaded.score.decision_function(X) - np.array(kept["log_odds"])).max())
spent = []
for _ in range(20):
    began = time.process_time()
    loaded.predict(X.head(1))
    spent.append(time.process_time() - began)
print(json.dumps({"load_seconds": load, "answer_seconds": sorted(spent)[10], "gap": gap}))
"""


@dataclass(frozen=True)
class Tried:
    """How a model did in a process of its own.

    Attributes
    ----------
    load_seconds, answer_seconds : float
        Processor time to import its code and load it, and to answer one row through its public interface.
    gap : float
        Largest difference of a log-odds from what was kept.
    problem : str
        Why it did not answer; empty if it did.
    """

    load_seconds: float = float("nan")
    answer_seconds: float = float("nan")
    gap: float = float("nan")
    problem: str = ""


def tried_alone(directory: Path) -> Tried:
    """Load what `save_checked` wrote in a fresh interpreter, by the code that travels, and ask it.

    The interpreter runs isolated (`-I`): no variable, no folder of ours is on its path.
    """
    with tempfile.TemporaryDirectory() as scratch:
        write_package(Path(scratch))
        words = [scratch, package_name(), str(directory), str(directory / FILE)]
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-W", "ignore", "-c", PROGRAM, *words],
                cwd=scratch,
                capture_output=True,
                text=True,
                check=False,
                timeout=WALL_SECONDS,
            )
        except subprocess.TimeoutExpired:
            return Tried(problem=f"no answer within {WALL_SECONDS:.0f} s")
    if done.returncode != 0:
        return Tried(
            problem=(done.stderr.strip().splitlines() or [f"it ended with code {done.returncode}"])[-1]
        )
    return Tried(**json.loads(done.stdout.splitlines()[-1]))
