"""Spark: our kernel in Arrow batches beside Spark SQL, the 69 plain columns, warm, Parquet to Parquet.

``python -m benchmarks.spark`` runs 10 million events, ``BENCH_QUICK=1`` one million, a number of millions as
argument that many. First three ways to say it in SQL at 100 thousand, then ours beside the best of them, and
ours on a log in which one buyer has a fifth of all events. Runs take turns in one session of two cores; all
must give the same bytes. Processor time is that of the process tree, as a busy machine stretches the clock.
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
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.features_columns import PLAIN
from benchmarks.features_data import make
from benchmarks.spark_sql import joined, prefix_sums, range_windows
from features.spark import feature_frame
from features.spark_session import spark_session, working_settings

OUT: Final = Path("build/bench/spark.json")
DATA: Final = Path("build/bench/features-data")
MILLION: Final = 1_000_000
SCRATCH: Final = Path("build/bench/spark-answers")
RUNS: Final = 3
SMALL: Final = MILLION // 10
"""Where the quadratic ways end: a sliding range, or a join, costs a buyer's events times its asks."""
HEAVY_SHARE: Final = 5
"""Every fifth row of the skewed log is of one buyer."""
SETTINGS: Final = {"spark.ui.enabled": "false", "spark.driver.memory": "3g", "spark.log.level": "OFF"}

Way = Callable[[Any, Any], Any]
WAYS: Final[dict[str, Way]] = {
    "ours": lambda events, spine: feature_frame(events, spine=spine, catalog=PLAIN, ids=False),
    "sql-prefix": prefix_sums,
    "sql-range": range_windows,
    "sql-join": joined,
}
BEST: Final = ("ours", "sql-prefix")


def main() -> None:
    millions = float(sys.argv[1]) if len(sys.argv) > 1 else 1 if os.environ.get("BENCH_QUICK") else 10
    events = int(millions * MILLION)
    small, large, skewed = DATA / str(SMALL), DATA / str(events), DATA / f"{events}-skewed"
    make(small, events=SMALL)
    make(large, events=events)
    _skew(large, skewed)
    spark = spark_session("local[2]", settings=SETTINGS, log=OUT.with_name("spark.log"))
    with working_settings(spark):
        rows = _measured(spark, small, ways=tuple(WAYS), size=SMALL, dataset="even", runs=1)
        turns = {large: ("even", BEST), skewed: ("skewed", ("ours",))}
        for folder, (dataset, ways) in turns.items():
            rows += _measured(spark, folder, ways=ways, size=events, dataset=dataset, runs=RUNS)
    spark.stop()
    _report(rows)


def _skew(even: Path, skewed: Path) -> None:
    """Copy log and spine, giving every fifth row to one buyer."""
    skewed.mkdir(parents=True, exist_ok=True)
    for name in ("events.parquet", "spine.parquet"):
        if (skewed / name).exists():
            continue
        source = pq.ParquetFile(even / name)
        with pq.ParquetWriter(skewed / name, source.schema_arrow, compression="zstd") as writer:
            for batch in source.iter_batches(MILLION):
                every = pa.array(np.arange(len(batch)) % HEAVY_SHARE == 0)
                buyers = pc.if_else(every, "heavy", batch["buyer_id"])
                at = batch.schema.get_field_index("buyer_id")
                writer.write_batch(batch.set_column(at, source.schema_arrow.field(at), buyers))


def _measured(
    spark: Any, folder: Path, *, ways: tuple[str, ...], size: int, dataset: str, runs: int
) -> list[dict[str, Any]]:
    """Run each way once to warm up and then in turns; return the report's rows, answers compared."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for turn in range(1 + runs):
        for name in ways:
            one = _run(spark, WAYS[name], folder, SCRATCH / name)
            print(f"{size:>11,} {dataset} {name:<11} {one[0]:7.2f} s {one[1]:7.2f} cpu s", file=sys.stderr)
            if turn:
                took[name].append(one)
    _compare(ways)
    return [
        {"name": name, "dataset": dataset, "size": size, "metric": metric,
         "value": sorted(values)[len(values) // 2], "low": min(values), "high": max(values),
         "unit": "s", "runs": values}
        for name, pairs in took.items()
        for metric, values in zip(("seconds", "cpu_seconds"), zip(*pairs, strict=True), strict=True)
    ]  # fmt: skip


def _run(spark: Any, way: Way, folder: Path, out: Path) -> tuple[float, float]:
    """Read, compute and write once; return seconds and processor seconds."""
    began, worked = time.perf_counter(), _cpu_seconds()
    frame = way(
        spark.read.parquet(str(folder / "events.parquet")), spark.read.parquet(str(folder / "spine.parquet"))
    )
    frame.write.mode("overwrite").parquet(str(out))
    return round(time.perf_counter() - began, 3), round(_cpu_seconds() - worked, 3)


def _cpu_seconds() -> float:
    """Add up the processor time of this process and of all ever seen below it, in Linux's ticks.

    A process that is gone counts as it was last seen: Spark ends Python workers that were idle for a minute.
    """
    table = subprocess.run(
        ["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    ).stdout
    children: dict[int, list[int]] = {}
    for pid, parent in (map(int, line.split()) for line in table.splitlines()):
        children.setdefault(parent, []).append(pid)
    below = [os.getpid()]
    while below:
        pid = below.pop()
        below += children.get(pid, [])
        try:
            used = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
        except (FileNotFoundError, ProcessLookupError):
            continue
        _seen[pid] = sum(map(int, used))
    return sum(_seen.values()) / os.sysconf("SC_CLK_TCK")


_seen: dict[int, int] = {}


def _compare(ways: tuple[str, ...]) -> None:
    """Stop unless all ways gave the same bytes in every column."""
    tables = {name: _sorted(SCRATCH / name) for name in ways}
    for name in ways[1:]:
        for column in PLAIN.schema.names:
            one, other = (tables[way][column].to_numpy() for way in (ways[0], name))
            if not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
                raise SystemExit(f"{column} differs between {ways[0]} and {name}")
    shutil.rmtree(SCRATCH)


def _sorted(folder: Path) -> pa.Table:
    table = pq.read_table(folder, columns=PLAIN.schema.names)
    return table.sort_by([("buyer_id", "ascending"), ("as_of", "ascending")])


def _report(rows: list[dict[str, Any]]) -> None:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in ("pyspark", "numba", "numpy", "pyarrow")}
    report = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "rows": rows}
    OUT.write_text(json.dumps(report, indent=1))
    ours = {
        (r["size"], r["metric"]): r["value"] for r in rows if (r["name"], r["dataset"]) == ("ours", "even")
    }
    head = "".join(f"{word:>9}" for word in ("median", "low", "high", "x ours"))
    print(f"{'events':>12} {'log':<7} {'way':<11} {'metric':<12}{head}")
    for row in rows:
        numbers = " ".join(f"{row[part]:>8.2f}" for part in ("value", "low", "high"))
        print(
            f"{row['size']:>12,} {row['dataset']:<7} {row['name']:<11} {row['metric']:<12} {numbers} "
            f" {row['value'] / ours[row['size'], row['metric']]:>7.2f}"
        )


if __name__ == "__main__":
    main()
