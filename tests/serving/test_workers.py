"""Workers as processes: who starts, replaces and ends them, and their port."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from serving.errors import Unavailable
from serving.run import _listening
from serving.settings import Settings
from serving.workers import port_for_all
from tests.serving.processes import until_answered

SERVE = "from buyer_tier.commands.serve import serve; serve(host='127.0.0.1', port=0, workers=2)"


def test_a_worker_that_is_killed_is_replaced_and_all_end_together(url: str, tmp_path: Path) -> None:
    with served(url, tmp_path) as (process, address):
        first, second = workers_of(process.pid)
        first.kill()
        for _ in range(300):
            if len(now := workers_of(process.pid)) == 2 and first not in now:
                break
            time.sleep(0.1)
        assert second in now
        assert until_answered(f"{address}/healthz").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert not any(one.is_running() for one in now)


def test_workers_do_not_outlive_a_parent_that_was_killed(url: str, tmp_path: Path) -> None:
    with served(url, tmp_path) as (process, _):
        workers = workers_of(process.pid)
        process.kill()
        _, alive = psutil.wait_procs(workers, timeout=30)
        assert not alive


def test_a_port_that_workers_share_is_taken_for_others(tmp_path: Path) -> None:
    with port_for_all("127.0.0.1", 0) as held:
        port = held.getsockname()[1]
        for count in (1, 2):
            settings = Settings(home=tmp_path, port=port, workers=count)
            with pytest.raises(Unavailable, match="choose another --port"), _listening(settings):
                pass


@contextmanager
def served(url: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    environment = os.environ | {
        "BUYER_TIER_HOME": str(home),
        "BUYER_TIER_DATABASE_URL": url,
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[-1]
            assert until_answered(f"{address}/healthz").status_code == 200
            yield process, address
        finally:
            process.kill()


def workers_of(parent: int) -> list[psutil.Process]:
    alive = [one for one in psutil.Process(parent).children() if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in alive if "spawn_main" in " ".join(one.cmdline())]
