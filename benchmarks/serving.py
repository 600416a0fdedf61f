"""Requests a second, side by side: ours durable with history and model, constants, the naive way, MLflow.

``make bench-serving``; ``BENCH_QUICK=1``: a minute, 2,000 buyers; ``BENCH_WAYS=ceiling,naive``: some. Every
service has one core, the load and PostgreSQL the other. The ways take turns; other work on the machine hits
all alike, so compare within a run. Beside the rate stands the processor time that the service's
process took for an answer, which other work moves less.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from benchmarks import serving_data as data
from serving.settings import Settings
from serving.store.embedded import database
from serving.store.migrate import migrate

OUT: Final = Path("build/bench/serving.json")
QUICK: Final = bool(os.environ.get("BENCH_QUICK"))
BUYERS: Final = 2_000 if QUICK else 20_000
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", 2 if QUICK else 5))
SECONDS: Final = 1.5 if QUICK else 3.0
CONNECTIONS: Final = 64
SERVICE_CORE, OTHER_CORE = 0, 1
TICKS: Final = os.sysconf("SC_CLK_TCK")
LIBRARIES: Final = (
    "asyncpg",
    "fastapi",
    "lightgbm",
    "mlflow",
    "msgspec",
    "pydantic",
    "sqlalchemy",
    "uvicorn",
)
DECISIONS: Final = "/v1/refund-decisions"
SCORES: Final = "/v1/buyers/BUYER/score"


@dataclass(frozen=True)
class Way:
    """What is asked of which service."""

    service: str
    kind: str
    path: str
    form: str = ""
    connections: int = CONNECTIONS
    alone: bool = True


WAYS: Final = {
    "raw": Way("raw", "decisions", DECISIONS, alone=False),
    "ceiling": Way("ceiling", "decisions", DECISIONS),
    "ours-decisions": Way("ours", "decisions", DECISIONS),
    "ceiling-scores": Way("ceiling", "scores", SCORES),
    "ours-scores": Way("ours", "scores", SCORES),
    "naive": Way("naive", "decisions", DECISIONS),
    "mlflow-serve": Way("mlflow", "rows", "/invocations", "split", alone=False),
    "mlflow-serve-csv": Way("mlflow", "rows", "/invocations", "csv", alone=False),
    "ours-events": Way("ours", "events", "/v1/events", connections=4, alone=False),
}
BARS: Final = (
    ("ours-decisions", "ceiling", 0.7),
    ("ours-decisions", "mlflow", 4.0),
    ("ours-scores", "ceiling-scores", 0.9),
    ("ours-scores", "mlflow", 5.0),
)


@dataclass
class Service:
    """A server on its core."""

    process: subprocess.Popen[bytes]
    port: int

    def processor_seconds(self) -> float:
        """Give what the service has used so far."""
        return used(self.process.pid)


def main() -> None:
    os.sched_setaffinity(0, {OTHER_CORE})
    folder = Path(f"build/bench/serving-{BUYERS}").absolute()
    events = data.history(folder, buyers=BUYERS)
    requests = data.requests(folder, events)
    settings = Settings(home=folder / "home")
    with ExitStack() as stack:
        url = stack.enter_context(database(settings))
        migrate(url)
        key = asyncio.run(data.loaded(settings, url, events))
        services = stack.enter_context(running(settings, url))
        plan = {"key": key, "data": str(requests), "batches": int(SECONDS * 60)}
        rows, found = measured(services, plan, url)
    write(rows)
    show(found)


def measured(
    services: dict[str, Service], plan: dict[str, Any], url: str
) -> tuple[list[Any], dict[str, Any]]:
    names, seeds = wanted(), data.seeds()
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    alone: dict[str, list[float]] = {name: [] for name in names if WAYS[name].alone}
    last = [name for name in names if WAYS[name].kind == "events"]  # new events would be others' to fold in
    for number, turn in [(n, turn) for turn in (names, last) for n in range(-1, ROUNDS)]:
        # round -1 is thrown away: caches, pools, plans
        for name in turn if turn is last else [name for name in names if name not in last]:
            way, short = WAYS[name], number < 0
            service = services[way.service]
            asked = plan | {"seed": next(seeds), "kind": way.kind, "path": way.path, "form": way.form}
            asked |= {"port": service.port, "connections": way.connections}
            one = load(asked | {"seconds": 1.0 if short else SECONDS}, service, url)
            if not short:
                found[name].append(one)
            if not short and name in alone:
                asked |= {"connections": 1, "seconds": SECONDS / 3, "seed": next(seeds)}
                alone[name].append(load(asked, service, url)["p50_ms"])
    return rows_of(found, alone), {"found": found, "alone": alone}


def wanted() -> list[str]:
    """Give the ways to measure."""
    asked = os.environ.get("BENCH_WAYS", "").split(",")
    return [way for way in WAYS if asked == [""] or way in asked]


def load(plan: dict[str, Any], service: Service, url: str) -> dict[str, Any]:
    """Run one measurement; any answer but a success ends the benchmark."""
    before, pg, began = service.processor_seconds(), postgres_seconds(url), time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.serving_load"]
    done = subprocess.run(command, input=json.dumps(plan).encode(), stdout=subprocess.PIPE, check=True)
    took = time.perf_counter() - began
    one: dict[str, Any] = json.loads(done.stdout)
    if one["lost"] or set(one["statuses"]) - {"200", "201"}:
        raise SystemExit(
            f"{plan['kind']} at {plan['path']}: {one['statuses']}, lost {one['lost']}\n{one['sample']}"
        )
    spent = service.processor_seconds() - before
    whole = one["answers"] * (one["seconds"] + 0.4) / one["seconds"]  # the warm-up's answers cost as much
    one["us"] = spent / whole * 1e6
    one["pg_us"] = (postgres_seconds(url) - pg) / whole * 1e6
    one["rate"] = one["answers"] / one["seconds"]
    one["took"] = took
    return one


@contextmanager
def running(settings: Settings, url: str) -> Iterator[dict[str, Service]]:
    """Start every service on its core and end it afterwards."""
    environment = os.environ | {
        "BUYER_TIER_HOME": str(settings.home),
        "BUYER_TIER_DATABASE_URL": url,
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": os.getcwd(),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    python, others = sys.executable, [sys.executable, "-m", "benchmarks.serving_others"]
    model = data.champion(settings)
    mlflow = [python, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local"]
    commands = {
        "raw": lambda port: [*others, "raw", port],
        "ceiling": lambda port: [*others, "ceiling", port],
        "naive": lambda port: [*others, "naive", port],
        "mlflow": lambda port: [*mlflow, "--workers", "1", "--port", port],
        "ours": lambda port: [python, "-m", "buyer_tier", "serve", "--port", port],
    }
    services: dict[str, Service] = {}
    log = os.open("build/bench/serving.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        for name in {WAYS[way].service: None for way in wanted()}:
            command = commands[name]
            port = free_port()
            full = ["taskset", "-c", str(SERVICE_CORE), *command(str(port))]
            process = subprocess.Popen(full, env=environment, stdout=log, stderr=log, start_new_session=True)
            services[name] = Service(process, port)
        for service in services.values():
            listening(service)
        yield services
    finally:
        for service in services.values():
            service.process.terminate()
        for service in services.values():
            service.process.wait(30)


def listening(service: Service) -> None:
    for _ in range(600):
        try:
            ready = httpx.get(f"http://127.0.0.1:{service.port}/readyz", timeout=5)
            if ready.status_code in (200, 201, 404, 405):
                return
        except httpx.HTTPError:
            pass
        if service.process.poll() is not None:
            raise SystemExit("a service ended; see build/bench/serving.log")
        time.sleep(0.2)
    raise SystemExit("a service does not answer; see build/bench/serving.log")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def used(pid: int) -> float:
    """Processor seconds of a process and what it started."""
    total = 0.0
    for one in family(pid):
        with_name = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
        total += (int(with_name[11]) + int(with_name[12])) / TICKS
    return total


def family(pid: int) -> list[int]:
    found, children = [pid], Path(f"/proc/{pid}/task/{pid}/children")
    for child in children.read_text().split() if children.exists() else []:
        found += family(int(child))
    return found


def postgres_seconds(url: str) -> float:
    """Processor seconds of the database, its backends' included while they live."""
    folder = httpx.URL(url.replace("postgresql", "http")).params["host"]
    pid = next(Path(folder).parent.rglob("postmaster.pid"), Path(folder) / "postmaster.pid")
    return used(int(pid.read_text().splitlines()[0])) if pid.exists() else 0.0


def rows_of(found: dict[str, list[dict[str, Any]]], alone: dict[str, list[float]]) -> list[dict[str, Any]]:
    metrics = {"requests_per_second": ("rate", "1/s"), "p50_ms": ("p50_ms", "ms"), "p99_ms": ("p99_ms", "ms"),
               "service_us": ("us", "us"), "postgres_us": ("pg_us", "us")}  # fmt: skip
    rows = []
    for name, runs in found.items():
        for metric, (field, unit) in metrics.items():
            rows.append(row(name, metric, [run[field] for run in runs], unit))
        if name in alone:
            rows.append(row(name, "p50_ms_single", alone[name], "ms"))
    return rows


def row(name: str, metric: str, runs: list[float], unit: str) -> dict[str, Any]:
    runs = [round(value, 3) for value in runs]
    return {"name": name, "dataset": f"{BUYERS} buyers", "metric": metric, "value": median(runs),
            "low": min(runs), "high": max(runs), "unit": unit, "runs": runs}  # fmt: skip


def write(rows: list[dict[str, Any]]) -> None:
    versions = {name: version(name) for name in LIBRARIES} | {"python": sys.version.split()[0]}
    report = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "rows": rows}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=1))


def show(measured: dict[str, Any]) -> None:
    """Print a line a way, then each bar as the median of the rounds' ratios."""
    found, alone = measured["found"], measured["alone"]
    names = ("rate", "p50_ms", "p99_ms", "us", "pg_us", "client_busy")
    print(f"{'way':<18}{'1/s':>8}{'low':>8}{'high':>8}{'p50 ms':>8}{'p99 ms':>8}{'alone':>7}", end="")
    print(f"{'us':>7}{'pg us':>7}{'client':>8}{'busy':>6}")
    for name, runs in found.items():
        m = {key: median([run[key] for run in runs]) for key in names}
        rates = [run["rate"] for run in runs]
        one = f"{median(alone[name]):>7.2f}" if name in alone else " " * 7
        print(f"{name:<18}{m['rate']:>8,.0f}{min(rates):>8,.0f}{max(rates):>8,.0f}", end="")
        print(f"{m['p50_ms']:>8.1f}{m['p99_ms']:>8.1f}{one}{m['us']:>7.0f}{m['pg_us']:>7.0f}", end="")
        print(f"{m['client_busy']:>8.0%}{m['us'] * m['rate'] / 1e6:>6.0%}")
    rate = {name: [run["rate"] for run in runs] for name, runs in found.items()}
    if "mlflow-serve" in rate and "mlflow-serve-csv" in rate:
        rate["mlflow"] = max((rate["mlflow-serve"], rate["mlflow-serve-csv"]), key=median)
    for ours, other, bar in BARS:
        if ours in rate and other in rate:
            ratio = median([a / b for a, b in zip(rate[ours], rate[other], strict=True)])
            print(f"{ours} / {other}: {ratio:.2f} (bar {bar}) {'held' if ratio >= bar else 'MISSED'}")
    for ours, other in (("ours-decisions", "ceiling"), ("ours-scores", "ceiling-scores")):
        if ours in found and other in found:
            ratio = median(
                [a["p99_ms"] / b["p99_ms"] for a, b in zip(found[ours], found[other], strict=True)]
            )
            print(f"p99 of {ours} / {other}: {ratio:.1f} (bar 4) {'held' if ratio <= 4 else 'MISSED'}")
    if "ours-decisions" in alone:
        one = median(alone["ours-decisions"])
        print(f"one client alone: p50 {one:.2f} ms (bar 2) {'held' if one <= 2 else 'MISSED'}")
    if "ours-events" in found:
        rate_of_events = median(rate["ours-events"]) * 1000
        print(
            f"events: {rate_of_events:,.0f}/s (bar 20,000) {'held' if rate_of_events >= 20_000 else 'MISSED'}"
        )


if __name__ == "__main__":
    if "--clean" in sys.argv:
        shutil.rmtree(f"build/bench/serving-{BUYERS}", ignore_errors=True)
    main()
