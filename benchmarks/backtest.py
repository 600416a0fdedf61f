"""What a backtest costs: simulated market, replay and closed loop, on one core, each size in its own process.

``make bench-backtest``; ``BENCH_QUICK=1``: a minute. Rates are per second of processor time, which other
work on the machine moves less than the clock; the libraries are loaded before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

OUT: Final = Path("build/bench/backtest.json")
QUICK: Final = bool(os.environ.get("BENCH_QUICK"))
RUNS: Final = 3
LIBRARIES: Final = ("numpy", "pyarrow")
SIZES: Final = {
    "simulate": (10_000, 50_000) if QUICK else (50_000, 1_000_000),
    "replay": (5_000,) if QUICK else (20_000, 80_000),
    "world": (1_000,) if QUICK else (5_000, 20_000),
}
"""Buyers, by row."""

Row = dict[str, Any]


def simulate(buyers: int) -> Row:
    """Write a marketplace to Parquet as ``buyer-tier simulate`` does."""
    import pyarrow as pa

    from backtest.marketplace import MarketConfig
    from backtest.marketplace.streaming import write_market

    pa.set_cpu_count(1)
    pa.array([True]).to_numpy(zero_copy_only=False)  # loads what pyarrow loads late
    with tempfile.TemporaryDirectory(dir=OUT.parent) as folder:
        home, worked = Path(folder), time.process_time()
        files = {"events": home / "events.parquet", "truth": home / "truth.parquet"}
        events = write_market(MarketConfig(buyers=buyers), **files, scratch=home, progress=lambda done: None)
        seconds = time.process_time() - worked
    return {"events_per_second": round(events / seconds), "events": events, "peak_mib": peak_mib()}


def replay(buyers: int) -> Row:
    """Score, decide and write every request of a year under the notice, as ``buyer-tier backtest`` does.

    Reading the log and computing the features come before and are not counted.
    """
    import pyarrow as pa

    from backtest.history import read_history
    from backtest.replay import Fixed, Run, compute_features
    from backtest.replay import replay as decide
    from benchmarks.online_data import score
    from decisions.policy import NOTICE
    from features.catalog import CATALOG
    from models.registry import LoadedModel

    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory(dir=OUT.parent) as folder:
        log, out = Path(folder) / "market", Path(folder) / "run"
        market = ["--out", str(log), "--buyers", str(buyers), "--days", "365", "--abuse-rate", "0.01"]
        subprocess.run([sys.executable, "-m", "buyer_tier", "simulate", *market], check=True, stdout=2)
        history = read_history(log)
        out.mkdir()
        compute_features(log, history, out)
        model = LoadedModel(score(140, num_leaves=4), "buyer-score", "1", "run", CATALOG.version)
        worked = time.process_time()
        decide(Run(out, history, [NOTICE]), Fixed(model))
        seconds = time.process_time() - worked
    decisions = len(history.requests)
    return {
        "decisions_per_second": round(decisions / seconds),
        "decisions": decisions,
        "peak_mib": peak_mib(),
    }


def world(buyers: int) -> Row:
    """Let the notice live in a market for a year, as ``buyer-tier backtest --world`` does, with one model."""
    import pyarrow as pa

    from backtest.marketplace import MarketConfig
    from backtest.replay import Fixed
    from backtest.world.living import World, lived
    from benchmarks.online_data import score
    from decisions.policy import NOTICE
    from features.catalog import CATALOG
    from models.registry import LoadedModel

    pa.set_cpu_count(1)
    model = LoadedModel(score(140, num_leaves=4), "buyer-score", "1", "run", CATALOG.version)
    market = MarketConfig(buyers=buyers, days=365)
    with tempfile.TemporaryDirectory(dir=OUT.parent) as folder:
        worked = time.process_time()
        one = lived(World(market=market, out=Path(folder), models=Fixed(model)), NOTICE)
        seconds = time.process_time() - worked
    decisions, events = len(one.run.history.requests), one.run.history.events
    return {
        "decisions_per_second": round(decisions / seconds),
        "events_per_second": round(events / seconds),
        "decisions": decisions,
        "peak_mib": peak_mib(),
    }


WAYS: Final[dict[str, Callable[[int], Row]]] = {"simulate": simulate, "replay": replay, "world": world}
UNITS: Final = {"events_per_second": "1/s", "decisions_per_second": "1/s", "peak_mib": "MiB"}


def main() -> None:
    OUT.parent.mkdir(parents=True, exist_ok=True)
    rows = [row for name, sizes in SIZES.items() for size in sizes for row in measured(name, size)]
    versions = {name: version(name) for name in LIBRARIES} | {"python": sys.version.split()[0]}
    report = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "rows": rows}
    OUT.write_text(json.dumps(report, indent=1))
    for row in rows:
        print(
            f"{row['name']:<10} {row['size']:>10,} {row['metric']:<22} {row['value']:>12,.0f} {row['unit']}"
        )


def measured(name: str, size: int) -> list[Row]:
    """Run one way over one size; a long run is not repeated."""
    runs = [_child(name, size) for _ in range(RUNS if size < 500_000 else 1)]
    return [
        {"name": name, "size": size, "metric": metric, "value": median(values), "low": min(values),
         "high": max(values), "unit": unit, "runs": values}
        for metric, unit in UNITS.items()
        if (values := [run[metric] for run in runs if metric in run])
    ]  # fmt: skip


def _child(name: str, size: int) -> Row:
    command = [sys.executable, "-m", "benchmarks.backtest", "--child", name, str(size)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} at {size:,} failed:\n{done.stderr}")
    result: Row = json.loads(done.stdout.splitlines()[-1])
    print(f"{name:<10} {size:>10,} {result}", file=sys.stderr)
    return result


def peak_mib() -> int:
    """Return the most memory that this process has held."""
    import resource

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        print(json.dumps(WAYS[sys.argv[2]](int(sys.argv[3]))))
    else:
        main()
