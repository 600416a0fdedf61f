from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from features.catalog import CATALOG
from features.errors import BadInput
from features.sources.online_retail_ii import import_online_retail_ii
from models.registry import Registry
from tests.forked import forkserver
from training.abuse import train_abuse
from training.cancellation import MODEL_NAME, train_cancellation
from training.fit import OneClassOnly
from training.report import TrainingReport
from training.splits import NoMatureSnapshot

from .events import day, market

import mlflow  # isort: skip

REPOSITORY = Path(__file__).parents[2]
SHARED = Path(os.environ.get("BUYER_TIER_SHARED", REPOSITORY.parent / "shared"))
RETAIL = SHARED / "data" / "online_retail_ii" / "online_retail_ii_to_2011_05.parquet"


def uri_of(home: Path) -> str:
    return f"sqlite:///{home / 'mlflow.db'}"


@pytest.fixture(scope="module")
def log() -> pa.Table:
    return market()


@pytest.fixture(scope="module")
def trained(log: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> TrainingReport:
    return train_abuse(log, tracking_uri=uri_of(tmp_path_factory.mktemp("abuse")))


def test_a_training_finds_the_abusers_of_a_plain_market(trained: TrainingReport) -> None:
    auc = trained.metrics["roc_auc"]
    assert auc.value > 0.9
    assert auc.low <= auc.value <= auc.high


def test_immature_months_are_left_out_and_counted(trained: TrainingReport) -> None:
    rows = trained.rows
    assert max(rows.test_snapshots) < min(rows.immature)
    assert all(n > 0 for n in rows.immature.values())
    assert set(rows.train_snapshots).isdisjoint({*rows.test_snapshots, *rows.immature})


def test_the_run_holds_parameters_metrics_pictures_report_and_origin(trained: TrainingReport) -> None:
    client = mlflow.MlflowClient(trained.tracking_uri)
    run = client.get_run(trained.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["label_window_days"] == "90"
    assert run.data.params["rows_immature"] == str(sum(trained.rows.immature.values()))
    assert {"roc_auc", "roc_auc_low", "average_precision", "calibration_error", "recall_at_fpr_0.005"} <= set(
        run.data.metrics
    )
    assert {"slice_all_observed", "slice_new_predicted", "base_rate_shift"} <= set(run.data.metrics)
    assert run.data.tags["data_fingerprint"] == trained.data_fingerprint
    assert run.data.tags["catalog_version"] == CATALOG.version
    pictures = {Path(f.path).name for f in client.list_artifacts(trained.run_id, "figures")}
    assert pictures == {
        "roc_and_precision_recall.png",
        "reliability.png",
        "reliability_by_slice.png",
        "gains.png",
        "score_distribution.png",
        "importance_by_reason.png",
    }
    kept = json.loads(Path(client.download_artifacts(trained.run_id, "report.json")).read_text())
    assert (kept["run_id"], kept["model_version"]) == (trained.run_id, "1")


def test_the_cut_off_that_keeps_the_budget_travels_with_the_registered_version(
    trained: TrainingReport,
) -> None:
    assert trained.findings is not None
    found = trained.findings.guarantee
    assert found.cut_off is None  # 150 buyers who complete nothing prove nothing
    assert "approve nobody" in found.words
    client = mlflow.MlflowClient(trained.tracking_uri)
    version = client.get_model_version("buyer-score", trained.model_version)
    assert (
        version.tags["guaranteed_cut_off"] == client.get_run(trained.run_id).data.tags["guaranteed_cut_off"]
    )
    assert version.tags["guaranteed_cut_off"] == "none"


def test_the_model_becomes_the_champion_of_its_catalog(trained: TrainingReport) -> None:
    champion = Registry(trained.tracking_uri).champion()
    assert champion is not None
    assert (champion.version, champion.run_id) == (trained.model_version, trained.run_id)
    assert champion.catalog_version == CATALOG.version
    assert tuple(champion.score.get_feature_names_out()) == CATALOG.names


ENOUGH = datetime(2026, 12, 30, tzinfo=UTC)
"""The first day of a history long enough to learn from and to judge on."""


def test_on_the_first_day_that_is_enough_what_was_recorded_later_changes_nothing(
    log: pa.Table, trained: TrainingReport
) -> None:
    until = ENOUGH
    early = log.filter(pa.compute.less(log["recorded_at"], pa.scalar(until, log["recorded_at"].type)))
    cut = train_abuse(log, tracking_uri=trained.tracking_uri, until=until)
    alone = train_abuse(early, tracking_uri=trained.tracking_uri, until=until)
    assert cut.metrics == alone.metrics
    assert cut.data_fingerprint == alone.data_fingerprint != trained.data_fingerprint
    assert cut.known_until == until
    assert (cut.rows.train_snapshots, cut.rows.test_snapshots) == (("2026-05-01",), ("2026-09-01",))


@pytest.mark.parametrize("until", [day(20), day(100), ENOUGH - timedelta(days=1)])
def test_a_history_too_short_is_refused_with_the_day_it_will_be_long_enough(
    log: pa.Table, until: datetime, tmp_path: Path
) -> None:
    with pytest.raises(NoMatureSnapshot, match=r"learn from 2026-05-01 .* train again from 2026-12-30"):
        train_abuse(log, tracking_uri=uri_of(tmp_path), until=until)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_history_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty"):
        train_abuse(market(n_buyers=0), tracking_uri=uri_of(tmp_path))


def test_a_date_past_the_known_history_is_refused_rather_than_called_mature(tmp_path: Path) -> None:
    events = market(n_buyers=20)
    last = max(events["recorded_at"].to_pylist())
    with pytest.raises(BadInput, match="nothing is known up to"):
        train_abuse(events, tracking_uri=uri_of(tmp_path), until=last + timedelta(days=15))


def test_a_history_with_one_class_only_is_refused_with_the_counts(tmp_path: Path) -> None:
    with pytest.raises(OneClassOnly, match=r"hold 0 positive and \d+ negative labels"):
        train_abuse(market(abusers=False), tracking_uri=uri_of(tmp_path))
    assert list(tmp_path.iterdir()) == []


def _train(home: str, seed: int) -> None:
    train_abuse(market(n_buyers=80), tracking_uri=uri_of(Path(home)), seed=seed)


@pytest.mark.slow
def test_two_trainings_at_once_leave_one_sound_registry(tmp_path: Path) -> None:
    both = [forkserver.Process(target=_train, args=(str(tmp_path), seed)) for seed in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(600)
    assert [process.exitcode for process in both] == [0, 0]
    registry = Registry(uri_of(tmp_path))
    lines = registry.versions()
    assert [(line.version, line.aliases) for line in lines] == [("2", ("champion",)), ("1", ())]
    assert len({line.run_id for line in lines}) == 2
    assert all("roc_auc" in line.metrics for line in lines)


@pytest.fixture(scope="module")
def retail() -> pa.Table:
    if not RETAIL.exists():
        assert os.environ.get("CI") != "true", f"{RETAIL} is missing"
        pytest.skip(f"{RETAIL} is not here; set BUYER_TIER_SHARED to the folder that holds data/")
    return import_online_retail_ii(RETAIL).events


@pytest.mark.slow
def test_cancellation_of_a_real_retailer_is_ranked_better_than_by_simple_methods(
    retail: pa.Table, tmp_path: Path
) -> None:
    judged = [datetime(2010, 12, 1, tzinfo=UTC), datetime(2011, 1, 1, tzinfo=UTC)]
    report = train_cancellation(retail, tracking_uri=uri_of(tmp_path), snapshots=judged)
    mean = {line.method: line for line in report.comparisons if line.snapshot == "mean"}
    assert set(mean) == {"ours", "past cancelled rate", "logistic on logs", "order size only"}
    others = [line.roc_auc.value for method, line in mean.items() if method != "ours"]
    assert mean["ours"].roc_auc.value > max(others)
    assert 0.24 < mean["ours"].base_rate < 0.28
    assert mean["past cancelled rate"].roc_auc.value == pytest.approx(0.64, abs=0.02)
    assert Registry(report.tracking_uri).champion() is None
    (line,) = Registry(report.tracking_uri, name=MODEL_NAME).versions()
    assert (line.version, line.aliases) == (report.model_version, ())


def test_a_snapshot_whose_outcome_is_open_is_refused_with_the_day_it_is_complete(
    retail: pa.Table, tmp_path: Path
) -> None:
    judged = [datetime(2011, 4, 1, tzinfo=UTC)]
    with pytest.raises(NoMatureSnapshot, match="complete on 2011-08-29"):
        train_cancellation(retail, tracking_uri=uri_of(tmp_path), snapshots=judged)


def test_a_snapshot_with_nothing_to_learn_from_before_it_is_refused(retail: pa.Table, tmp_path: Path) -> None:
    judged = [datetime(2010, 4, 1, tzinfo=UTC)]
    with pytest.raises(NoMatureSnapshot, match="judge from 2010-06-29"):
        train_cancellation(retail, tracking_uri=uri_of(tmp_path), snapshots=judged)
