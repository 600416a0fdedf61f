from __future__ import annotations

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from markupsafe import escape
from matplotlib.figure import Figure
from threadpoolctl import threadpool_limits

import training.examination
import training.judge
from decisions.policy import GUARANTEED
from features.errors import BadInput
from models import trees
from models.mlflow_store import RegistryUnavailable
from models.registry import CUT_OFF_TAG, Registry
from models.self_check import digest
from models.succession import SETTLED, changes, promote, rollback
from tests.forked import forkserver
from tests.models.conftest import new_score, rows
from tests.models.test_registry import register
from training.abuse import train_abuse
from training.clean_process import Tried
from training.examination import EXPERIMENT
from training.fit import OneClassOnly
from training.kept import KeptModels
from training.publish import LEFTOVER, VERDICT
from training.retrain import STEPS, Order, RetrainReport, retrain
from training.splits import NoMatureSnapshot
from training.turn import Busy, turn

from .events import day
from .events import market as market_without_abusers
from .retrain_scenes import EASY, copied, market, order_in

UNDRAWN = (
    (training.examination, "figures", lambda *_, **__: {}),
    (training.examination, "reliability_by_slice", lambda _: Figure(figsize=(1, 1))),
    (training.judge, "tried_alone", lambda _: Tried(load_seconds=1.0, answer_seconds=0.001, gap=0.0)),
)
"""Pictures and a fresh interpreter are dear: the first model has them, and the one before a rollback."""


@pytest.fixture(scope="module")
def log() -> pa.Table:
    return market()


@pytest.fixture(scope="module")
def first(log: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> tuple[Order, RetrainReport]:
    order = replace(order_in(tmp_path_factory.mktemp("first")), until=day(330))
    return order, retrain(log, order)


@pytest.fixture
def order(first: tuple[Order, RetrainReport], tmp_path: Path) -> Order:
    """An order for a store of its own, in which the first model is the champion and a window is new."""
    return copied(first[0].kept_in.parent, tmp_path)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    for place, name, instead in UNDRAWN:
        monkeypatch.setattr(place, name, instead)


def test_the_first_model_is_promoted_and_says_that_nobody_was_there_to_compare_with(
    first: tuple[Order, RetrainReport],
) -> None:
    order, report = first
    assert (report.outcome, report.champion_before, report.champion_now) == ("promoted", None, "1")
    said = {gate.name: gate.figure for gate in report.gates}
    assert all(
        said[name] == "no model is in charge to compare with"
        for name in ("roc_auc", "average_precision", "loss_share", "swap_set")
    )
    assert not KeptModels(order.kept_in).path(report.key).exists()


def test_the_run_holds_every_gate_as_a_metric_as_json_and_as_a_page(
    first: tuple[Order, RetrainReport],
) -> None:
    order, report = first
    client = Registry(order.tracking_uri).client
    run = client.get_run(report.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["gate_calibration_error_passed"] == 1.0
    kept = json.loads(Path(client.download_artifacts(report.run_id, "gates.json")).read_text())
    assert [gate["name"] for gate in kept["gates"]] == [gate.name for gate in report.gates]
    page = Path(client.download_artifacts(report.run_id, "gates.html")).read_text(encoding="utf-8")
    assert all(str(escape(gate.title)) in page for gate in report.gates)
    assert "http" not in page.replace("http-equiv", "")
    assert report.page is not None
    assert report.page.read_text(encoding="utf-8") == page


def test_a_retraining_finds_out_what_a_training_of_the_same_window_does_and_says_it(
    first: tuple[Order, RetrainReport], log: pa.Table, tmp_path: Path
) -> None:
    order, report = first
    by_hand = train_abuse(log, tracking_uri=order_in(tmp_path).tracking_uri, until=report.complete_at)
    assert by_hand.findings is not None
    assert report.findings == by_hand.findings
    (line,) = Registry(order.tracking_uri).versions()
    assert line.tags["guaranteed_cut_off"] == "none"
    client = Registry(order.tracking_uri).client
    kept = json.loads(Path(client.download_artifacts(report.run_id, "report.json")).read_text())
    assert kept["findings"]["guarantee"]["words"] == by_hand.findings.guarantee.words
    assert "slice_all_observed" in client.get_run(report.run_id).data.metrics
    assert report.page is not None
    page = report.page.read_text(encoding="utf-8")
    walks, slices = by_hand.findings.walks, by_hand.findings.slices
    for said in (
        by_hand.findings.guarantee.words,
        by_hand.findings.base_rate.words,
        *(walk.words for walk in walks),
        *(part.words for part in slices),
        *(group.words for group in by_hand.findings.scorecard.agreement),
        *by_hand.silent_features,
    ):
        assert str(escape(said)) in page


@pytest.mark.usefixtures("undrawn")
def test_each_model_is_judged_by_the_cut_off_that_it_would_have_in_charge(
    order: Order, log: pa.Table
) -> None:
    order = replace(order, policy=GUARANTEED)
    Registry(order.tracking_uri).tag(CUT_OFF_TAG, "610", version="1")
    report = retrain(log, order)
    assert report.page is not None
    page = report.page.read_text(encoding="utf-8")
    assert "a proven cut-off, of which there is none (serving: 620 points or more)" in page
    (swap,) = [gate for gate in report.gates if gate.name == "swap_set"]
    assert swap.figure.startswith("100.0% of ")
    assert ": 0 gain (0 yuan)" in swap.figure


def test_the_same_window_is_trained_once_even_if_the_log_has_grown_and_been_shuffled(
    first: tuple[Order, RetrainReport], log: pa.Table
) -> None:
    order, report = first
    complete = report.complete_at
    known = log.filter(pc.less(log["recorded_at"], pa.scalar(complete, log["recorded_at"].type)))
    seen: list[str] = []
    for events in (log, known.take(list(range(len(known)))[::-1])):
        again = retrain(events, replace(order, until=max(complete, day(0))), on_step=seen.append)
        assert (again.outcome, again.model_version, again.run_id) == ("already", "1", report.run_id)
        assert "trained before" in again.said
    assert "fitting the trees" not in seen
    assert [line.version for line in Registry(order.tracking_uri).versions()] == ["1"]


def _digest_of(home: str, n_threads: str, answer: multiprocessing.Queue[str]) -> None:
    trees.SMALL = 0  # type: ignore[misc]  # all threads, as for a large log
    order = order_in(Path(home))

    def stop(step: str) -> None:
        if step == "judging beside the champion":
            (kept,) = [path for path in order.kept_in.iterdir() if path.is_dir()]
            answer.put(digest(kept))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), threadpool_limits(int(n_threads)):
        retrain(market(), order, on_step=stop)


def test_the_same_data_seed_and_code_give_the_same_bytes_whatever_the_threads(tmp_path: Path) -> None:
    answer: multiprocessing.Queue[str] = forkserver.Queue()
    for n in ("1", "2"):
        process = forkserver.Process(target=_digest_of, args=(str(tmp_path / n), n, answer))
        process.start()
        process.join(600)
        assert process.exitcode == 0
    assert answer.get(timeout=60) == answer.get(timeout=60)


def _killed_at(home: str, step: str) -> None:
    def kill(now: str) -> None:
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    for place, name, instead in UNDRAWN:
        setattr(place, name, instead)
    retrain(market(), order_in(Path(home)), on_step=kill)


def _kill(home: Path, step: str) -> None:
    process = forkserver.Process(target=_killed_at, args=(str(home), step))
    process.start()
    process.join(600)
    assert process.exitcode == -signal.SIGKILL, f"never came to {step!r}"


@pytest.mark.slow
def test_killed_at_each_step_the_champion_is_as_before_or_as_after_and_the_next_run_goes_on(
    order: Order, tmp_path: Path, log: pa.Table
) -> None:
    registry = Registry(order.tracking_uri)
    seen = []
    for step in STEPS:
        _kill(tmp_path, step)
        champion = registry.champion()  # loads and passes its self-check
        assert champion is not None
        seen.append(champion.version)
        assert len(registry.versions()) <= 2
    assert seen == ["1"] * 11 + ["2", "2"]
    after = retrain(log, order)
    assert (after.outcome, after.model_version) == ("already", "2")
    where = registry.client.get_experiment_by_name(EXPERIMENT)
    runs = registry.client.search_runs([where.experiment_id])
    left = [run.info.status for run in runs if LEFTOVER in run.data.tags]
    assert sorted(left) == ["FAILED", "FINISHED"]  # cut off in the run, and after it but before its version
    assert {run.info.status for run in runs if LEFTOVER not in run.data.tags} == {"FINISHED"}
    assert [change.version for change in changes(registry)] == ["1", "2"]
    assert not [path for path in order.kept_in.iterdir() if path.is_dir()]


def test_a_rollback_is_not_undone_by_the_next_retraining(order: Order, log: pa.Table) -> None:
    assert retrain(log, order).outcome == "promoted"
    registry = Registry(order.tracking_uri)
    rollback(registry, reason="complaints", by="ann")
    assert retrain(log, order).outcome == "already"
    assert registry.champion_version() == "1"
    assert registry.versions()[0].tags[SETTLED].startswith("rolled back")
    with pytest.raises(BadInput, match="no champion before version 1"):
        rollback(registry, reason="again")


@pytest.mark.usefixtures("undrawn")
def test_a_challenger_that_a_gate_holds_waits_in_the_shadow_for_a_person(order: Order, log: pa.Table) -> None:
    held = retrain(log, replace(order, limits=replace(EASY, swap_share=-1.0)))
    assert (held.outcome, held.champion_now) == ("held", "1")
    assert "few buyers gain or lose the quality tier" in held.said
    registry = Registry(order.tracking_uri)
    assert (registry.champion_version(), registry.challenger_version()) == ("1", "2")
    change = promote(registry, "2", reason="approved by risk", by="ann")
    assert (registry.champion_version(), registry.challenger_version()) == ("2", None)
    assert changes(registry)[-1] == change
    assert (change.by, change.reason, change.replaced) == ("ann", "approved by risk", "1")


@pytest.mark.usefixtures("undrawn")
def test_a_feature_that_fell_silent_is_named_and_nothing_is_promoted(order: Order, log: pa.Table) -> None:
    silent = log.set_column(
        log.column_names.index("amount_fen"), "amount_fen", pa.nulls(len(log), log["amount_fen"].type)
    )
    report = retrain(silent, order)
    assert report.outcome == "held"
    assert "paid_amount_sum" in report.said
    assert Registry(order.tracking_uri).champion_version() == "1"


@pytest.mark.usefixtures("undrawn")
def test_a_champion_that_reads_other_features_is_named_and_stays(tmp_path: Path, log: pa.Table) -> None:
    order = order_in(tmp_path)
    register(new_score(max_trees=5).fit(*rows(300)), order.tracking_uri)
    report = retrain(log, order)
    assert (report.outcome, report.champion_now) == ("held", "1")
    assert "not passed: it looks at the same facts about buyers as the serving model: added" in report.said
    assert "missing refunds, kept_orders, noise, links, visits; defined otherwise: catalog c1" in report.said
    registry = Registry(order.tracking_uri)
    assert (registry.champion_version(), registry.challenger_version()) == ("1", None)


def test_a_window_not_yet_mature_is_refused_with_the_day_from_which_it_will_be(
    first: tuple[Order, RetrainReport], log: pa.Table
) -> None:
    order, report = first
    newest = day(0).replace(year=2027, month=2)
    with pytest.raises(NoMatureSnapshot, match=r"window of 2027-02-01 is not mature.*from 2027-06-01"):
        retrain(log, replace(order, until=None, judged_at=newest))
    assert report.champion_now == Registry(order.tracking_uri).champion_version()


def test_one_class_only_is_named_and_nothing_is_registered(tmp_path: Path) -> None:
    order = order_in(tmp_path)
    with pytest.raises(OneClassOnly, match=r"0 positive"):
        retrain(market_without_abusers(n_buyers=60, abusers=False), order)
    assert Registry(order.tracking_uri).versions() == []


def test_a_second_retraining_at_once_is_refused_after_its_wait(tmp_path: Path, log: pa.Table) -> None:
    order = order_in(tmp_path)
    with turn(order.tracking_uri, order.kept_in, wait_seconds=0), pytest.raises(Busy, match="another"):
        _in_a_thread(log, order)


def _in_a_thread(log: pa.Table, order: Order) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        pool.submit(retrain, log, order).result()


@pytest.mark.usefixtures("undrawn")
def test_with_mlflow_away_the_finished_model_is_kept_and_picked_up_by_the_next_run(
    tmp_path: Path, log: pa.Table
) -> None:
    home = order_in(tmp_path)
    away = replace(home, tracking_uri="http://127.0.0.1:9")
    with pytest.raises(RegistryUnavailable, match=r"127\.0\.0\.1:9.*kept in .*goes on from it"):
        retrain(log, away)
    (kept,) = [path for path in home.kept_in.iterdir() if path.is_dir()]
    bytes_kept = digest(kept)
    seen: list[str] = []
    report = retrain(log, home, on_step=seen.append)
    assert report.outcome == "promoted"
    assert "fitting the trees" not in seen
    (line,) = Registry(home.tracking_uri).versions()
    stored = next(tmp_path.glob("mlartifacts/models/*/artifacts/data/buyer_score"))
    assert (line.tags[VERDICT][:7], digest(stored)) == ("promote", bytes_kept)


@pytest.mark.usefixtures("undrawn")
def test_beside_a_damaged_champion_the_new_model_waits_for_a_person(
    order: Order, tmp_path: Path, log: pa.Table
) -> None:
    trees = next(tmp_path.glob("mlartifacts/models/*/artifacts/data/buyer_score/trees.txt"))
    trees.write_text(trees.read_text().replace("leaf_value=", "leaf_value=9", 1))
    report = retrain(log, order)
    (held,) = [gate for gate in report.gates if gate.holds]
    assert "version 1 of buyer-score is damaged" in held.figure
    registry = Registry(order.tracking_uri)
    assert (report.outcome, registry.champion_version()) == ("held", "1")
    promote(registry, "2", reason="version 1 is damaged", by="a person")
    assert registry.champion_version() == "2"
