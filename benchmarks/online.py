"""One buyer at a time: history to vector, with the model, with reasons; ours beside LightGBM and MLflow.

``make bench-online``; ``BENCH_QUICK=1`` asks fewer times. All ways to one answer must agree. What is
measured is the processor time of the asking thread, call by call, so that a busy machine disturbs little; the
ways take turns, and a figure is the best of the rounds.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.online_data import BUYER, history, score
from features.catalog import CATALOG
from features.events import SCHEMA
from features.online import buyer_vector, rows_vector
from features.packed import append_rows, pack_rows, packed_vector
from models.buyer_score import BuyerScore
from models.travelling_code import package_name, write_package

OUT: Final = Path("build/bench/online.json")
QUICK: Final = bool(os.environ.get("BENCH_QUICK"))
ROUNDS: Final = 3 if QUICK else 7
BUDGET_SECONDS: Final = 0.15 if QUICK else 0.4
"""What one way may take in one round; at least twenty calls, at most two thousand."""
LIBRARIES: Final = ("lightgbm", "mlflow", "numba", "numpy", "pandas", "pyarrow", "scikit-learn")
HISTORIES: Final = {
    "50": (50, 365),
    "2000": (2_000, 365),
    "100000": (100_000, 365),
    "100000, three years": (100_000, 3 * 365),
}
MODELS: Final = {"140 trees of 4 leaves": (140, 4), "300 trees of 31 leaves": (300, 31)}
BARS: Final = {
    ("packed-vector", "50"): 30,
    ("packed-vector", "2000"): 150,
    ("packed-vector", "100000"): 5_000,
    ("packed-vector", "100000, three years"): 5_000,
    ("packed-vector-and-score", "50"): 100,
    ("packed-vector-and-score", "2000"): 100,
    ("contributions", "300 trees of 31 leaves"): 700,
}
"""Microseconds that the p50 may take."""

Way = Callable[[], object]
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A buyer's history in the forms that it comes in."""

    rows: list[Mapping[str, Any]]
    packed: bytes
    as_of: datetime


def main() -> None:
    large = score(*MODELS["300 trees of 31 leaves"][:1], num_leaves=31)
    rows = [row for name, (n, days) in HISTORIES.items() for row in of_history(name, asked(n, days), large)]
    for name, (n_trees, leaves) in MODELS.items():
        rows += of_model(name, large if leaves == 31 else score(n_trees, num_leaves=leaves))
    versions = {name: version(name) for name in LIBRARIES} | {"python": sys.version.split()[0]}
    report = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "rows": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=1))
    show(rows)


def asked(n_events: int, days: int) -> Asked:
    rows = history(n_events, days=days)
    return Asked(rows, pack_rows(rows, buyer_id=BUYER), rows[-1]["recorded_at"] + timedelta(seconds=1))


def of_history(name: str, buyer: Asked, model: BuyerScore) -> list[Row]:
    """Measure the ways from a history to its vector."""
    asking = {"buyer_id": BUYER, "as_of": buyer.as_of}
    new = {**buyer.rows[-1], "event_id": "new", "recorded_at": buyer.as_of}
    ways: dict[str, Way] = {
        "packed-vector": lambda: packed_vector(buyer.packed, as_of=buyer.as_of),
        "packed-vector-and-score": lambda: model.assess(packed_vector(buyer.packed, as_of=buyer.as_of)),
        "append": lambda: append_rows(buyer.packed, [new]),
    }
    vector = rows_vector(buyer.rows, **asking)
    agree(name, vector.tobytes() == packed_vector(buyer.packed, as_of=buyer.as_of).tobytes())
    if len(buyer.rows) <= 2_000:
        table = pa.Table.from_pylist(buyer.rows, schema=SCHEMA)
        ways["rows-vector"] = lambda: rows_vector(buyer.rows, **asking)
        ways["table-vector"] = lambda: buyer_vector(table, **asking)
        agree(name, buyer_vector(table, **asking).tobytes() == vector.tobytes())
    size = {"name": "packed-vector", "dataset": name, "metric": "packed_kib", "unit": "KiB"}
    kib = round(len(buyer.packed) / 1024, 1)
    return [*measure(name, ways), {**size, "value": kib, "runs": [kib]}]


def of_model(name: str, model: BuyerScore) -> list[Row]:
    """Measure the ways from a vector to a score, and to its contributions."""
    buyer = asked(*HISTORIES["50"])
    vector = packed_vector(buyer.packed, as_of=buyer.as_of)
    table = pd.DataFrame([vector], columns=list(CATALOG.names))
    pyfunc, one = loaded_pyfunc(model), model.raw_margin(table)
    ways: dict[str, Way] = {
        "assess": lambda: model.assess(vector),
        "booster-predict": lambda: model.booster_.predict(vector.reshape(1, -1), num_threads=1),
        "predict-proba": lambda: model.predict_proba(table),
        "pyfunc": lambda: pyfunc.predict(table),
        "contributions": lambda: model.single_row().contributions(vector),
        "explain": lambda: model.explain(vector),
        "pred-contrib": lambda: model.contributions(table),
    }
    agree(name, model.assess(vector).margin == one[0])
    agree(name, model.assess(vector).p_abuse == pyfunc.predict(table)["p_abuse"][0])
    away = np.abs(model.single_row().contributions(vector) - model.contributions(table)[0]).max()
    agree(name, bool(away < 1e-12))
    return measure(name, ways)


def loaded_pyfunc(model: BuyerScore) -> Any:
    """Save the score as MLflow keeps it, and load it as its users do."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        import mlflow.pyfunc

        model.save(Path(folder) / "buyer_score")
        mlflow.pyfunc.save_model(
            f"{folder}/saved",
            loader_module=f"{package_name()}.pyfunc",
            data_path=f"{folder}/buyer_score",
            code_paths=[str(write_package(Path(folder) / "code"))],
            pip_requirements=[],
        )
        return mlflow.pyfunc.load_model(f"{folder}/saved")


def agree(name: str, same: bool) -> None:
    if not same:
        raise SystemExit(f"{name}: the answers differ")


def measure(dataset: str, ways: Mapping[str, Way]) -> list[Row]:
    """Let the ways take turns; p50 and p99 of each round, the best round's as the value."""
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    calls = {name: calls_of(way) for name, way in ways.items()}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            took = timed(way, calls[name])
            rounds[name].append((took[len(took) // 2], took[len(took) * 99 // 100]))
    rows = []
    for name, found in rounds.items():
        for metric, values in zip(("p50_us", "p99_us"), zip(*found, strict=True), strict=True):
            runs = [round(v, 1) for v in values]
            row = {"name": name, "dataset": dataset, "metric": metric, "value": min(runs), "unit": "us"}
            rows.append({**row, "low": min(runs), "high": max(runs), "runs": runs})
    return rows


def calls_of(way: Way) -> int:
    way()
    return int(np.clip(BUDGET_SECONDS * 1e6 / timed(way, 3)[1], 20, 2_000))


def timed(way: Way, calls: int) -> list[float]:
    """Give the processor microseconds of each call, ascending."""
    took = []
    for _ in range(calls):
        began = time.thread_time_ns()
        way()
        took.append((time.thread_time_ns() - began) / 1e3)
    return sorted(took)


def show(rows: list[Row]) -> None:
    """Print a line a way, with what it takes beside the first of its group, and its bar."""
    found = {(r["dataset"], r["name"], r["metric"]): r for r in rows}
    print(f"{'of':<24} {'way':<24} {'p50 us':>9} {'worst':>9} {'p99 us':>9} {'ratio':>7}  bar")
    for dataset in dict.fromkeys(r["dataset"] for r in rows):
        names = [r["name"] for r in rows if r["dataset"] == dataset and r["metric"] == "p50_us"]
        for name in names:
            p50, p99 = (found[dataset, name, metric] for metric in ("p50_us", "p99_us"))
            beside = "contributions" if name in ("explain", "pred-contrib") else names[0]
            ratio = p50["value"] / found[dataset, beside, "p50_us"]["value"]
            bar = BARS.get((name, dataset))
            held = "" if bar is None else f"{bar} {'held' if p50['value'] <= bar else 'MISSED'}"
            print(
                f"{dataset:<24} {name:<24} {p50['value']:>9,.1f} {p50['high']:>9,.1f} "
                f"{p99['value']:>9,.1f} {ratio:>7.2f}  {held}"
            )


if __name__ == "__main__":
    main()
