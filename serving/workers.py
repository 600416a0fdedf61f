"""Several processes that serve one port: started, kept up, and ended together.

Each has the port by a socket of its own (``SO_REUSEPORT``), so the kernel spreads connections over them;
what must not happen twice is kept apart by locks in PostgreSQL, as between two machines.
"""

from __future__ import annotations

import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

import structlog
import uvicorn

GRACE_SECONDS: Final = 10
BACKLOG: Final = 2048
AGAIN_SECONDS: Final = 1.0
"""A worker that ended by itself is started again no sooner than this after its last start."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Worker:
    """What a worker is told: its number, and the folder where each leaves its metrics for the others."""

    number: int
    folder: Path


@dataclass
class _Running:
    process: SpawnProcess
    since: float


def port_for_all(host: str, port: int) -> socket.socket:
    """Take a port that workers can share, and hold it without answering on it.

    Raises
    ------
    OSError
        The port is taken, also where those who have it would share it.
    """
    with _socket(host) as alone:  # other services' workers would let us in
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))
        port = alone.getsockname()[1]
    held = _socket(host)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    held.bind((host, port))
    return held


def share_of(host: str, port: int) -> socket.socket:
    """Listen on a port that others listen on, too."""
    return socket.create_server((host, port), family=family_of(host), backlog=BACKLOG, reuse_port=True)


def keep_up(work: Callable[[Worker], None], *, count: int, folder: Path) -> None:
    """Run workers until this process is told to stop; whatever ends by itself is started again."""
    before = signal.signal(signal.SIGTERM, leave)
    running: dict[int, _Running] = {}
    try:
        running |= {number: _start(work, Worker(number, folder)) for number in range(count)}
        while True:
            connection.wait([one.process.sentinel for one in running.values()])
            for number, one in running.items():
                if one.process.exitcode is not None:
                    log.error("worker_ended", worker=number, exit=one.process.exitcode)
                    time.sleep(max(0.0, one.since + AGAIN_SECONDS - time.monotonic()))
                    running[number] = _start(work, Worker(number, folder))
    finally:
        _end([one.process for one in running.values()])
        signal.signal(signal.SIGTERM, before)


def stop_with_parent(server: uvicorn.Server) -> None:
    """Stop serving when the process that keeps the workers up is gone, by whatever it ended."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        server.should_exit = True

    threading.Thread(target=watch, name="parent", daemon=True).start()


def leave(number: int, _frame: object) -> None:
    """Let a signal unwind the stack, where its default would end the process as it is."""
    raise SystemExit(128 + number)


def _start(work: Callable[[Worker], None], worker: Worker) -> _Running:
    process = multiprocessing.get_context("spawn").Process(
        target=work, args=(worker,), name=f"worker-{worker.number}"
    )
    process.start()
    return _Running(process, time.monotonic())


def _end(processes: list[SpawnProcess]) -> None:
    """Let each answer what is under way."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + GRACE_SECONDS + 5
    for process in processes:
        process.join(max(0.0, until - time.monotonic()))
        process.kill()
        process.join()


def family_of(host: str) -> socket.AddressFamily:
    """Tell a host of IPv6 from one of IPv4."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _socket(host: str) -> socket.socket:
    return socket.socket(family_of(host), socket.SOCK_STREAM)
