"""Spark: our kernel in Arrow batches beside Spark SQL, the 69 plain columns, warm, Parquet to Parquet.

``python -m benchmarks.spark`` runs 10 million events, ``BENCH_QUICK=1`` one million, a number of millions as
argument that many. Runs take turns in one session of two cores; both must give the same bytes. Processor
time is that of the whole process tree, since a busy machine stretches the clock.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.features_columns import PLAIN
from benchmarks.features_data import make
from benchmarks.spark_sql import prefix_sums, range_windows
from features.spark import feature_frame
from features.spark_session import spark_session, working_settings

OUT: Final = Path("build/bench/spark.json")
DATA: Final = Path("build/bench/features-data")
MILLION: Final = 1_000_000
RUNS: Final = 3
RANGE_UP_TO: Final = MILLION // 10
"""Spark computes each sliding range anew: quadratic in a buyer's events, minutes at three times this size."""
SETTINGS: Final = {"spark.ui.enabled": "false", "spark.driver.memory": "3g", "spark.log.level": "ERROR"}

Way = Callable[[Any, Any], Any]
WAYS: Final[dict[str, Way]] = {
    "ours": lambda events, spine: feature_frame(events, spine=spine, catalog=PLAIN, check=False),
    "sql-prefix": prefix_sums,
    "sql-range": range_windows,
}


def main() -> None:
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 1 if os.environ.get("BENCH_QUICK") else 10
    events = int(millions * MILLION)
    folder = DATA / str(events)
    make(folder, events=events)
    spark = spark_session("local[2]", settings=SETTINGS)
    ways = {name: way for name, way in WAYS.items() if name != "sql-range" or events <= RANGE_UP_TO}
    runs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    with working_settings(spark):
        for turn in range(1 + RUNS):
            for name, way in ways.items():
                took = _run(spark, way, folder, folder / f"spark-{name}")
                print(f"{events:>11,} {name:<11} {took[0]:7.2f} s {took[1]:7.2f} cpu s", file=sys.stderr)
                if turn:
                    runs[name].append(took)
    spark.stop()
    _compare(folder, list(ways))
    _report(events, runs)


def _run(spark: Any, way: Way, folder: Path, out: Path) -> tuple[float, float]:
    """Read, compute and write once; return seconds and processor seconds."""
    began, worked = time.perf_counter(), _cpu_seconds()
    frame = way(
        spark.read.parquet(str(folder / "events.parquet")), spark.read.parquet(str(folder / "spine.parquet"))
    )
    frame.write.mode("overwrite").parquet(str(out))
    return round(time.perf_counter() - began, 3), round(_cpu_seconds() - worked, 3)


def _cpu_seconds() -> float:
    """Add up the processor time of this process and of all below it, in Linux's ticks."""
    table = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    children: dict[int, list[int]] = {}
    for pid, parent in (map(int, line.split()) for line in table.splitlines()):
        children.setdefault(parent, []).append(pid)
    found, below = 0, [os.getpid()]
    while below:
        pid = below.pop()
        below += children.get(pid, [])
        try:
            found += sum(map(int, Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:15]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found / os.sysconf("SC_CLK_TCK")


def _compare(folder: Path, ways: list[str]) -> None:
    """Stop unless all ways gave the same bytes in every column."""
    tables = {name: _sorted(folder / f"spark-{name}") for name in ways}
    for name in ways[1:]:
        for column in PLAIN.schema.names:
            one, other = (tables[way][column].to_numpy() for way in (ways[0], name))
            if not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
                raise SystemExit(f"{column} differs between {ways[0]} and {name}")
    for name in ways:
        shutil.rmtree(folder / f"spark-{name}")


def _sorted(folder: Path) -> pa.Table:
    table = pq.read_table(folder, columns=PLAIN.schema.names)
    return table.sort_by([("buyer_id", "ascending"), ("as_of", "ascending")])


def _report(events: int, runs: dict[str, list[tuple[float, float]]]) -> None:
    rows = []
    for name, took in runs.items():
        for metric, values in zip(("seconds", "cpu_seconds"), zip(*took, strict=True), strict=True):
            middle = sorted(values)[len(values) // 2]
            low, high = min(values), max(values)
            rows.append(
                {"name": name, "size": events, "metric": metric, "value": middle, "low": low, "high": high,
                 "unit": "s", "runs": values}
            )  # fmt: skip
    OUT.parent.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("pyspark", "numba", "numpy", "pyarrow")}
    report = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "rows": rows}
    OUT.write_text(json.dumps(report, indent=1))
    ours = {row["metric"]: row["value"] for row in rows if row["name"] == "ours"}
    print(f"{'events':>12} {'way':<11} {'metric':<12} {'median':>8} {'low':>8} {'high':>8} {'x ours':>7}")
    for row in rows:
        numbers = " ".join(f"{row[part]:>8.2f}" for part in ("value", "low", "high"))
        print(
            f"{events:>12,} {row['name']:<11} {row['metric']:<12} {numbers} "
            f"{row['value'] / ours[row['metric']]:>7.2f}"
        )


if __name__ == "__main__":
    main()
