"""One worker of the service beside two: does another help, where all that runs shares two cores.

``make bench-workers``. As `benchmarks.serving`, but nothing is bound to a core; the two services take turns.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import serving_data as data
from benchmarks.serving import (
    BUYERS,
    CONNECTIONS,
    DECISIONS,
    ROUNDS,
    SCORES,
    SECONDS,
    Service,
    free_port,
    listening,
    load,
)
from serving.settings import Settings
from serving.store.embedded import database
from serving.store.migrate import migrate

WORKERS: Final = (1, 2)
KINDS: Final = {"scores": SCORES, "decisions": DECISIONS}


def main() -> None:
    folder = Path(f"build/bench/serving-{BUYERS}").absolute()
    events = data.history(folder, buyers=BUYERS)
    settings = Settings(home=folder / "home")
    plan: dict[str, Any] = {"data": str(data.requests(folder, events)), "connections": CONNECTIONS}
    with ExitStack() as stack:
        url = stack.enter_context(database(settings))
        migrate(url)
        plan |= {"key": asyncio.run(data.loaded(settings, url, events)), "form": "", "batches": 0}
        services = {n: stack.enter_context(running(settings, url, n)) for n in WORKERS}
        show(measured(services, plan, url))


def measured(
    services: dict[int, Service], plan: dict[str, Any], url: str
) -> dict[tuple[str, int], list[dict[str, Any]]]:
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    seeds = data.seeds()
    for number in range(-1, ROUNDS):  # round -1 is thrown away: caches, pools, plans
        for kind, path in KINDS.items():
            for workers, service in services.items():
                asked = plan | {"kind": kind, "path": path, "port": service.port, "seed": next(seeds)}
                one = load(asked | {"seconds": SECONDS}, service, url)
                if number >= 0:
                    found.setdefault((kind, workers), []).append(one)
    return found


@contextmanager
def running(settings: Settings, url: str, workers: int) -> Iterator[Service]:
    """Start a service and end it afterwards."""
    environment = os.environ | {
        "BUYER_TIER_HOME": str(settings.home),
        "BUYER_TIER_DATABASE_URL": url,
        "MLFLOW_TRACKING_URI": settings.tracking_uri,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONPATH": os.getcwd(),
    }
    port = free_port()
    command = [sys.executable, "-m", "buyer_tier", "serve", "--port", str(port), "--workers", str(workers)]
    with Path("build/bench/serving.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    service = Service(process, port)
    try:
        listening(service)
        yield service
    finally:
        process.terminate()
        process.wait(30)


def show(found: dict[tuple[str, int], list[dict[str, Any]]]) -> None:
    """Print a line a way, and two workers' rate over one's as the median of the rounds."""
    print(f"{'':<12}{'workers':>8}{'1/s':>8}{'low':>8}{'high':>8}{'p50 ms':>8}{'p99 ms':>8}{'us':>7}")
    for (kind, workers), runs in found.items():
        rates, *rest = ([run[name] for run in runs] for name in ("rate", "p50_ms", "p99_ms", "us"))
        p50, p99, us = map(median, rest)
        print(f"{kind:<12}{workers:>8}{median(rates):>8,.0f}{min(rates):>8,.0f}{max(rates):>8,.0f}", end="")
        print(f"{p50:>8.1f}{p99:>8.1f}{us:>7.0f}")
    for kind in KINDS:
        ratios = [b["rate"] / a["rate"] for a, b in zip(found[kind, 1], found[kind, 2], strict=True)]
        print(f"{kind}: two workers / one: {median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
