"""Time and memory of the batch features, ours beside the others, each in a process of its own.

``make bench-features`` runs 1, 10 and 50 million events; ``BENCH_QUICK=1`` 300 thousand. All ways to the
69 plain columns must give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

OUT: Final = Path("build/bench/features.json")
DATA: Final = Path("build/bench/features-data")
MILLION: Final = 1_000_000
SLOW: Final = ("numpy", "polars", "duckdb-asof", "duckdb-range")
SIZES: Final = {
    MILLION: ("floor", "ours", "ours-full", *SLOW, "pandas"),
    10 * MILLION: ("floor", "ours", "ours-full", *SLOW),
    50 * MILLION: ("floor", "ours", "ours-full"),
}
QUICK_SIZES: Final = {MILLION * 3 // 10: ("floor", "ours", "ours-full", *SLOW, "pandas")}
RUNS: Final = {"floor": 3, "ours": 3, "ours-full": 3}
STREAMED_FROM: Final = 50 * MILLION
STREAM_MEMORY: Final = 4 << 30
TIMEOUT_SECONDS: Final = 3_600
IMPORTS: Final = {"floor": "duckdb", "duckdb-asof": "duckdb", "duckdb-range": "duckdb", "polars": "polars"}
LIBRARIES: Final = ("duckdb", "numba", "numpy", "pandas", "polars", "pyarrow")

Row = dict[str, Any]


def main() -> None:
    sizes = QUICK_SIZES if os.environ.get("BENCH_QUICK") else SIZES
    if len(sys.argv) > 1:
        sizes = {n: ways for n, ways in SIZES.items() if n == int(float(sys.argv[1]) * MILLION)}
    rows = [row for events, ways in sizes.items() for row in measure(events, ways)]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    versions = {name: version(name) for name in LIBRARIES} | {"python": sys.version.split()[0]}
    report = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "rows": rows}
    OUT.write_text(json.dumps(report, indent=1))
    show(rows)


def measure(events: int, ways: tuple[str, ...]) -> list[Row]:
    """Run each way over one size; the ways to the plain columns must agree."""
    folder = DATA / str(events)
    _child("make", folder, events)
    rows, answers = [], {}
    for way in ways:
        runs = [_child(way, folder, events) for _ in range(RUNS.get(way, 1))]
        for metric, unit in (("seconds", "s"), ("cpu_seconds", "s"), ("peak_mib", "MiB")):
            values = sorted(run[metric] for run in runs)
            rows.append(
                {"name": way, "size": events, "metric": metric, "value": values[len(values) // 2],
                 "low": values[0], "high": values[-1], "unit": unit, "runs": [run[metric] for run in runs]}
            )  # fmt: skip
        rows += [
            {"name": way, "size": events, "metric": "sorted_mib", "value": run["sorted_mib"], "unit": "MiB",
             "runs": [run["sorted_mib"]]}
            for run in runs[:1] if "sorted_mib" in run
        ]  # fmt: skip
        if runs[0]["answer"]:
            answers[way] = runs[0]["answer"]
    if len(set(answers.values())) > 1:
        raise SystemExit(f"the answers differ: {answers}")
    return rows


def _child(way: str, folder: Path, events: int) -> Row:
    """Run one way in a fresh process, so that its peak is its own."""
    command = [sys.executable, "-m", "benchmarks.features", "--child", way, str(folder), str(events)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode:
        raise SystemExit(f"{way} at {events:,} events failed:\n{done.stderr}")
    result: Row = json.loads(done.stdout.splitlines()[-1])
    print(f"{events:>11,} {way:<13} {result}", file=sys.stderr)
    return result


def child(way: str, folder: Path, events: int) -> Row:
    if way == "make":
        from benchmarks.features_data import make

        make(folder, events=events)
        return {}
    import numpy as np
    import pyarrow as pa

    from benchmarks.features_columns import PLAIN
    from benchmarks.features_ways import WAYS, streamed

    pa.set_cpu_count(2)
    __import__(IMPORTS.get(way, "features.stream" if way.startswith("ours") else "pandas"))
    began, worked = time.perf_counter(), time.process_time()
    if way.startswith("ours") and events >= STREAMED_FROM:
        columns, notes = streamed(folder, full=way == "ours-full", memory=STREAM_MEMORY), {}
    else:
        columns, notes = WAYS[way](folder)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answer = ""
    if columns:
        digest = hashlib.sha256()
        for name in PLAIN.names:
            column = np.ascontiguousarray(columns[name])
            digest.update(np.where(np.isnan(column), np.nan, column).tobytes())
        answer = digest.hexdigest()[:16]
    measured = {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3), "peak_mib": round(peak)}
    return {**measured, "answer": answer, **notes}


def show(rows: list[Row]) -> None:
    """Print a line a way: seconds, times the floor, peak memory."""
    print(f"{'events':>12} {'way':<13} {'seconds':>9} {'cpu':>8} {'x floor':>8} {'peak MiB':>9}")
    for size in sorted({row["size"] for row in rows}):
        found = {(r["name"], r["metric"]): r["value"] for r in rows if r["size"] == size}
        for way in dict.fromkeys(r["name"] for r in rows if r["size"] == size):
            seconds, cpu, peak = (found[way, m] for m in ("seconds", "cpu_seconds", "peak_mib"))
            ratio = seconds / found["floor", "seconds"]
            print(f"{size:>12,} {way:<13} {seconds:>9.2f} {cpu:>8.2f} {ratio:>8.2f} {peak:>9.0f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(child(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))))
    else:
        main()
