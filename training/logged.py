"""A report as a run of MLflow: its parameters, figures and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from models.mlflow_store import experiment_id, tracking
from models.registry import Registry

import mlflow  # isort: skip  # after the registry, which sets what mlflow reads when it is imported


def log_report(
    tracking_uri: str,
    *,
    experiment: str,
    name: str,
    params: Mapping[str, Any],
    metrics: Mapping[str, float],
    files: Iterable[Path],
) -> str:
    """Log a report that no model comes of; give the run's id.

    Raises
    ------
    RegistryUnavailable
        MLflow is away.
    """
    registry = Registry(tracking_uri)
    with tracking(tracking_uri):
        where = experiment_id(registry.client, experiment, tracking_uri=tracking_uri)
        with mlflow.start_run(experiment_id=where, run_name=name) as run:
            mlflow.log_params({key: value for key, value in params.items() if value is not None})
            mlflow.log_metrics(dict(metrics))
            for file in files:
                mlflow.log_artifact(str(file))
    return str(run.info.run_id)
