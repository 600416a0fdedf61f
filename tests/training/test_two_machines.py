"""Two retrainings of two workspaces against one real MLflow server."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Final

import pytest

from models.registry import Registry
from tests.forked import forkserver
from training.retrain import retrain
from training.turn import LEASE, Busy, Lease

from .retrain_scenes import market, order_in

pytestmark = pytest.mark.slow
PATIENCE: Final = 300.0
Answers = "multiprocessing.Queue[tuple[str, str]]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("server")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = [
        "--backend-store-uri",
        f"sqlite:///{home / 'mlflow.db'}",
        "--artifacts-destination",
        str(home / "a"),
    ]
    words = [*store, "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "server", *words],
            stdout=log,
            stderr=log,
            cwd=home,
            start_new_session=True,
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(address: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(address, timeout=60).close()
            return
        except (urllib.error.URLError, OSError):
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def _retrain(home: Path, uri: str, answers: Answers, pause: Path | None) -> None:
    def on_step(step: str) -> None:
        if pause is not None and step == "fitting the trees":
            answers.put(("pausing", step))
            while not pause.exists():
                time.sleep(0.05)

    try:
        report = retrain(market(), order_in(home, tracking_uri=uri, delays=(1.0,)), on_step=on_step)
        answers.put((report.outcome, report.model_version))
    except Busy as error:
        answers.put(("refused", str(error)))


def _started(home: Path, uri: str, answers: Answers, pause: Path | None = None) -> forkserver.Process:  # type: ignore[name-defined]
    process = forkserver.Process(target=_retrain, args=(home, uri, answers, pause))
    process.start()
    return process


def test_the_second_machine_is_refused_while_the_first_retrains_and_then_finds_its_work_done(
    server: str, tmp_path: Path
) -> None:
    answers: multiprocessing.Queue[tuple[str, str]] = forkserver.Queue()
    go_on = tmp_path / "go on"
    first = _started(tmp_path / "one", server, answers, go_on)
    assert answers.get(timeout=PATIENCE)[0] == "pausing"
    second = _started(tmp_path / "two", server, answers)
    outcome, said = answers.get(timeout=PATIENCE)
    assert (outcome, f":{first.pid}:" in said) == ("refused", True)
    go_on.touch()
    assert answers.get(timeout=PATIENCE) == ("promoted", "1")
    again = _started(tmp_path / "two", server, answers)
    assert answers.get(timeout=PATIENCE) == ("already", "1")
    for process in (first, second, again):
        process.join(PATIENCE)
    registry = Registry(server)
    assert [line.version for line in registry.versions()] == ["1"]
    assert (registry.champion_version(), registry.tags()[LEASE]) == ("1", "{}")


def test_of_four_that_ask_at_the_same_moment_one_gets_the_lease(server: str) -> None:
    together = Barrier(4)

    def take(n: int) -> bool:
        lease = Lease(Registry(server, name="contested"), holder=f"machine {n}")
        lease.registry.client  # noqa: B018 - made before the start
        together.wait()
        try:
            lease.take()
        except Busy:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(take, range(4))) == [False, False, False, True]
