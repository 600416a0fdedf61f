from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from models.buyer_score import BuyerScore
from models.mlflow_store import RegistryUnavailable
from models.registry import ModelDamaged
from tests.models.conftest import new_score, rows
from training.kept import KeptModels
from training.turn import LEASE, LEASE_SECONDS, Busy, Lease, Process, patiently


class Server:
    """A registered model's tags on a server that two machines talk to."""

    tracking_uri, name = "http://mlflow", "buyer-score"

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def tags(self) -> dict[str, str]:
        return dict(self.kept)

    def tag(self, key: str, value: str) -> None:
        self.kept[key] = value


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lease(server: Server, clock: Clock, holder: str, sleep: object = lambda _: None) -> Lease:
    return Lease(server, clock=clock, sleep=sleep, holder=holder)  # type: ignore[arg-type]


def test_the_second_machine_is_refused_until_the_first_gives_the_lease_back() -> None:
    server, clock = Server(), Clock()
    one, two = lease(server, clock, "one"), lease(server, clock, "two")
    one.take()
    with pytest.raises(Busy, match="one"):
        two.take()
    one.take()
    two.free()
    with pytest.raises(Busy):
        two.take()
    one.free()
    two.take()


def test_a_lease_of_a_dead_machine_runs_out() -> None:
    server, clock = Server(), Clock()
    lease(server, clock, "dead").take()
    clock.now += LEASE_SECONDS
    lease(server, clock, "next").take()


def test_a_lease_of_a_process_that_was_killed_on_this_machine_is_free_at_once() -> None:
    server, clock, here = Server(), Clock(), Process.this()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        killed = lease(server, clock, "killed")
        killed.process = Process(here.machine, other.pid)
        killed.take()
        with pytest.raises(Busy, match="killed"):
            lease(server, clock, "next").take()
        other.kill()
        other.wait()
    if here.machine:
        lease(server, clock, "next").take()


@pytest.mark.parametrize("machine", ["another container", ""])
def test_a_process_number_of_another_machine_tells_nothing(machine: str) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    assert not Process(machine, ended.pid).has_ended(seen_by=Process.this())


def test_of_two_that_ask_at_the_same_moment_the_last_to_write_wins_and_the_other_sees_it() -> None:
    server, clock = Server(), Clock()

    def other_writes(_: float) -> None:
        server.tag(LEASE, json.dumps({"holder": "two", "until": clock.now + 9}))

    with pytest.raises(Busy, match="two"):
        lease(server, clock, "one", sleep=other_writes).take()


def test_a_registry_that_is_away_is_asked_again_with_growing_patience() -> None:
    slept: list[float] = []
    answers = iter([RegistryUnavailable("away"), RegistryUnavailable("away"), "back"])

    def ask() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert patiently(ask, delays=(1, 4, 16), sleep=slept.append) == "back"
    assert slept == [1, 4]


@pytest.mark.parametrize("error", [ModelDamaged("broken"), Busy("held")])
def test_what_waiting_cannot_mend_is_not_asked_again(error: Exception) -> None:
    asked = []

    def ask() -> None:
        asked.append(1)
        raise error

    with pytest.raises(type(error)):
        patiently(ask, delays=(1, 4), sleep=lambda _: None)
    assert len(asked) == 1


@pytest.fixture(scope="module")
def fitted() -> tuple[BuyerScore, pd.DataFrame]:
    X, y = rows(300)
    return new_score(max_trees=5).fit(X, y), X.head(4)


def test_a_kept_model_comes_back_whole_and_a_damaged_one_is_thrown_away(
    tmp_path: Path, fitted: tuple[BuyerScore, pd.DataFrame]
) -> None:
    score, example = fitted
    kept = KeptModels(tmp_path)
    assert kept.find("k") is None
    kept.keep("k", score, example=example)
    kept.keep("k", score, example=example)
    found = kept.find("k")
    assert found is not None
    assert found.predict_proba(example).tobytes() == score.predict_proba(example).tobytes()
    (kept.path("k") / "trees.txt").write_text("half")
    assert kept.find("k") is None
    assert list(tmp_path.iterdir()) == []
