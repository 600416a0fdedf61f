"""The whole job once, as a newcomer runs it: in a workspace of its own, and again."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.conftest import own_folder

SMALL = ("--buyers", "1500", "--days", "420", "--abuse-rate", "0.02")


def demo(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("BUYER_TIER", "MLFLOW"))}
    return subprocess.run(
        [sys.executable, "-m", "buyer_tier", "demo", *SMALL, *options],
        env=environment | {"BUYER_TIER_HOME": str(home)},
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with own_folder() as folder:
        yield folder / "home"


def assert_nothing_runs(home: Path) -> None:
    with (home / "postgres.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert not (home / "postgres" / "postmaster.pid").exists()


@pytest.mark.slow
def test_the_demo_decides_a_month_of_requests_and_can_be_run_again(home: Path) -> None:
    first = demo(home, "--json")
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    summary = found["summary"]
    assert summary["requests"] > 30
    assert 0 < summary["auto_refunded"] < summary["requests"]
    assert "agrees_with_history" not in summary["by_reason"], "the log knew what was still to come"
    assert summary["auto_refunded"] + sum(summary["by_reason"].values()) == summary["requests"]
    assert summary["abuser_refunded"] <= summary["abuser_requests"]
    assert found["training"]["model_version"] == "1"
    key_file = home / "demo" / "api-key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert_nothing_runs(home)

    again = demo(home)
    assert again.returncode == 0, again.stderr
    for words in (
        "refund requests",
        "refunded at once",
        "not a quality user",
        "median answer time",
        "make serve",
    ):
        assert words in again.stdout
    assert f"{summary['requests']:,}" in again.stdout
    assert "set aside" not in again.stdout
    assert_nothing_runs(home)


def test_the_demo_does_not_run_in_a_workspace_that_is_in_use(home: Path) -> None:
    (home / "postgres").mkdir(parents=True, exist_ok=True)
    with (home / "postgres.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        refused = demo(home)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: the workspace")
    assert "Traceback" not in refused.stderr
