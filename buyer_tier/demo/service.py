"""The service as a process of its own, for as long as a block runs."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from serving.errors import Unavailable
from serving.settings import Settings

START_SECONDS = 60
STOP_SECONDS = 20


@contextmanager
def running_service(settings: Settings, *, log_file: Path) -> Iterator[str]:
    """Start ``buyer-tier serve``, wait until it can decide, yield its address, and stop it.

    Raises
    ------
    Unavailable
        It ended or was not ready in time; says where its log is.
    """
    port = _free_port()
    command = [sys.executable, "-m", "buyer_tier", "serve", "--host", "127.0.0.1", "--port", str(port)]
    environment = os.environ | {"BUYER_TIER_HOME": str(settings.home.absolute())}
    environment.pop("BUYER_TIER_DATABASE_URL", None)
    with (
        log_file.open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            _wait(address, process, log_file=log_file)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(address: str, process: subprocess.Popen[bytes], *, log_file: Path) -> None:
    deadline, found = time.monotonic() + START_SECONDS, "no answer"
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.get(f"{address}/readyz", timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
            continue
        if answer.status_code == httpx.codes.OK:
            return
        found = answer.text[:300]
        time.sleep(0.2)
    raise Unavailable("service", f"not ready after {START_SECONDS} s ({found}); see {log_file}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
