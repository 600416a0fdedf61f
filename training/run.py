"""The MLflow run of a training: what went in, how good it is, the pictures, the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from models.buyer_score import BuyerScore
from models.mlflow_store import experiment_id, tracking
from models.registry import CUT_OFF_TAG, Registry, cut_off_as_tag
from models.succession import promote

from .evaluate import Interval
from .labels import AbuseLabel, CancellationLabel
from .report import TrainingReport

import mlflow  # isort: skip  # after the store, which sets what mlflow reads when it is imported

N_EXAMPLE_ROWS: Final = 8
MAX_DIGEST: Final = 36
"""MLflow's limit."""
NOT_PARAMS: Final = ("monotone", "reason_codes", "reason_texts", "catalog_version")


def record(
    report: TrainingReport,
    *,
    score: BuyerScore,
    example: pd.DataFrame,
    label: AbuseLabel | CancellationLabel,
    pictures: Mapping[str, Figure],
) -> TrainingReport:
    """Log one run with its model, register the model and, if the report says so, make it the champion.

    A local store is held for the whole time, so that two trainings come one after the other. A run that
    fails in the middle is marked as failed, and the alias stays where it was.

    Returns
    -------
    TrainingReport
        With the run's id and the model's version.
    """
    registry = Registry(report.tracking_uri, name=report.model_name)
    tags = tags_of(report)
    with tracking(report.tracking_uri):
        where = experiment_id(registry.client, report.experiment, tracking_uri=report.tracking_uri)
        name = f"{report.task} known until {report.known_until:%Y-%m-%d}"
        with mlflow.start_run(experiment_id=where, run_name=name, tags=run_tags(tags)) as run:
            report = replace(report, run_id=run.info.run_id)
            log_evidence(report, score=score, label=label, pictures=pictures)
            report = replace(
                report, model_version=registry.log(score, example=example_of(example), tags=tags)
            )
            mlflow.log_dict(report.as_dict(), "report.json")
        if report.champion:
            promote(registry, report.model_version, reason=f"trained by hand, {name}")
    return report


def log_evidence(
    report: TrainingReport,
    *,
    score: BuyerScore,
    label: AbuseLabel | CancellationLabel,
    pictures: Mapping[str, Figure],
) -> None:
    """Log into the active run what went in, how good it is, and the pictures."""
    mlflow.log_input(_history(report), context="training")
    mlflow.log_params(_score_params(score) | _label_params(label) | _row_params(report))
    found = report.findings.metrics() if report.findings else {}
    mlflow.log_metrics(_flat(report.metrics) | found)
    for file, figure in pictures.items():
        mlflow.log_figure(figure, f"figures/{file}")


def _history(report: TrainingReport) -> mlflow.data.dataset.Dataset:
    """Show the log's fingerprint where MLflow's pages look for a run's data."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = CodeDatasetSource(tags={"catalog_version": report.catalog_version})
    digest = report.data_fingerprint[:MAX_DIGEST]
    name = f"events known until {report.known_until:%Y-%m-%d}"
    return MetaDataset(source, name=name, digest=digest)  # type: ignore[abstract]


def example_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Take the first rows, to be shown and to be asked again wherever the model is loaded."""
    return rows.head(N_EXAMPLE_ROWS).reset_index(drop=True)


def tags_of(report: TrainingReport) -> dict[str, str]:
    """Say where a model came from, for its run and its version."""
    tags = {
        "task": report.task,
        "catalog_version": report.catalog_version,
        "data_fingerprint": report.data_fingerprint,
    }
    if report.findings:
        tags[CUT_OFF_TAG] = cut_off_as_tag(report.findings.guarantee.cut_off)
    return tags | ({"git_commit": report.git_commit} if report.git_commit else {})


def run_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Add the name under which MLflow's pages show a commit."""
    commit = {"mlflow.source.git.commit": tags["git_commit"]} if "git_commit" in tags else {}
    return {**tags, **commit}


def _score_params(score: BuyerScore) -> dict[str, Any]:
    own = {name: value for name, value in score.get_params(deep=False).items() if name not in NOT_PARAMS}
    calibration = {f"calibration_{name}": value for name, value in asdict(score.calibrator_).items()}
    return own | calibration | {"n_trees": score.n_trees_, "n_features": score.n_features_in_}


def _label_params(label: AbuseLabel | CancellationLabel) -> dict[str, Any]:
    return {f"label_{name}": value for name, value in asdict(label).items()}


def _row_params(report: TrainingReport) -> dict[str, Any]:
    rows = report.rows
    return {
        "rows_train": rows.train,
        "rows_train_positive": rows.train_positive,
        "rows_test": rows.test,
        "rows_test_positive": rows.test_positive,
        "rows_immature": sum(rows.immature.values()),
        "train_snapshots": " ".join(rows.train_snapshots),
        "test_snapshots": " ".join(rows.test_snapshots),
        "known_until": report.known_until.isoformat(),
        "seed": report.seed,
    }


def _flat(metrics: Mapping[str, Interval]) -> dict[str, float]:
    values = {name: interval.value for name, interval in metrics.items()}
    lows = {f"{name}_low": interval.low for name, interval in metrics.items()}
    return values | lows | {f"{name}_high": interval.high for name, interval in metrics.items()}
