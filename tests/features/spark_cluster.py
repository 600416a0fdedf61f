"""A standalone Spark cluster on loopback for tests: one master, two workers, all stopped at the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from features.spark_session import spark_session

QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
SMALL = {
    "spark.ui.enabled": "false",
    "spark.log.level": "OFF",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "768m",
    "spark.driver.extraJavaOptions": QUICK_START,
    "spark.driver.maxResultSize": "256k",  # a driver that collected features would fail
    "spark.sql.shuffle.partitions": "3",
    "spark.sql.warehouse.dir": "/nonexistent",
}
OF_CLUSTER = SMALL | {
    "spark.executor.memory": "512m",
    "spark.executor.extraJavaOptions": QUICK_START,
    # Executors start in a folder of their own: this code, not another that is installed.
    "spark.executorEnv.PYTHONPATH": str(Path(__file__).parents[2]),
    "spark.executor.cores": "1",
    "spark.scheduler.minRegisteredResourcesRatio": "1.0",
    "spark.shuffle.io.retryWait": "500ms",
}


def lacks() -> str | None:
    """Say what Spark lacks here; in continuous integration nothing may be lacking."""
    if os.environ.get("CI") == "true":
        return None
    if find_spec("pyspark") is None:
        return "PySpark is not installed"
    return None if shutil.which("java") or os.environ.get("JAVA_HOME") else "Java is not installed"


@contextmanager
def local_spark(folder: Path) -> Iterator[Any]:
    """Run Spark within this process's own JVM; tests of one module share it."""
    session = spark_session(
        "local[2]", settings=SMALL | {"spark.local.dir": str(folder)}, log=folder / "spark.log"
    )
    try:
        yield session
    finally:
        session.stop()


needs_spark = pytest.mark.skipif(lacks() is not None, reason=str(lacks()))


@dataclass
class Cluster:
    """Processes of a master and its workers, each in a folder of its own."""

    folder: Path
    port: int = 0
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _all: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"spark://127.0.0.1:{self.port}"

    def start(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._launch("master.Master", "--port", str(self.port))
        _await(self.port)
        for number in (1, 2):
            given = ("-c", "1", "-m", "600M", "-d", str(self.folder / f"worker{number}"), self.url)
            self.workers.append(self._launch("worker.Worker", *given))

    def kill_a_worker(self) -> None:
        """As a machine dies: the worker without a word, its executor with it."""
        self.workers[0].send_signal(signal.SIGKILL)
        self.workers[0].wait()

    def stop(self) -> None:
        for process in reversed(self._all):
            process.terminate()
        for process in self._all:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _launch(self, role: str, *arguments: str) -> subprocess.Popen[bytes]:
        import pyspark

        home = Path(pyspark.__file__).parent
        self.folder.mkdir(exist_ok=True)
        with (self.folder / f"{role}{len(self._all)}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    str(home / "bin" / "spark-class"),
                    f"org.apache.spark.deploy.{role}",
                    *("--host", "127.0.0.1", "--webui-port", "0"),
                    *arguments,
                ],
                env=os.environ
                | {
                    "SPARK_HOME": str(home),
                    "SPARK_DAEMON_MEMORY": "256m",
                    "SPARK_DAEMON_JAVA_OPTS": QUICK_START,
                    "SPARK_LOCAL_DIRS": str(self.folder / "local"),
                    "SPARK_LOG_DIR": str(self.folder),
                },
                stdout=log,
                stderr=log,
            )
        self._all.append(process)
        return process


def _await(port: int, *, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"the master did not listen on port {port} within {seconds} seconds")
