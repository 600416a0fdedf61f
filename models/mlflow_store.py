"""Where MLflow keeps runs and models: the one place that opens its store, for registry and training alike."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

# Read when mlflow is imported: nothing leaves this machine, and a server that is away is said at once.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")

import mlflow
from mlflow.exceptions import MlflowException

SQLITE: Final = "sqlite:///"

for chatty in ("mlflow", "alembic"):
    logging.getLogger(chatty).setLevel(logging.WARNING)
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # shows what it raises, stack and all


class RegistryUnavailable(Exception):  # noqa: N818 - it names the state, not a fault of ours
    """MLflow did not answer or answered with an error; says where and what."""


def local_store(tracking_uri: str) -> Path | None:
    """Path of the SQLite file behind a tracking URI, None for any other store."""
    return Path(tracking_uri.removeprefix(SQLITE)) if tracking_uri.startswith(SQLITE) else None


def store_lock(tracking_uri: str) -> AbstractContextManager[Any]:
    """Hold a local store for one process; re-entrant. A server keeps its own order."""
    path = local_store(tracking_uri)
    if path is None:
        return nullcontext()
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(f"{path.name}.lock"), is_singleton=True)


@contextmanager
def tracking(tracking_uri: str) -> Iterator[None]:
    """Point MLflow's fluent functions at a store, alone if it is a file, and put everything back."""
    before: Any = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None  # type: ignore[no-untyped-call]
    environment, path = os.environ.get("MLFLOW_TRACKING_URI"), list(sys.path)
    with store_lock(tracking_uri):
        mlflow.set_tracking_uri(tracking_uri)
        try:
            yield
        except MlflowException as error:
            raise RegistryUnavailable(f"MLflow at {tracking_uri}: {first_line(error)}") from error
        finally:
            mlflow.set_tracking_uri(before)
            sys.path[:] = path  # logging a model tries its code, from a folder that is gone by now
            os.environ.pop("MLFLOW_TRACKING_URI", None)  # which MLflow sets to what it is told
            if environment is not None:
                os.environ["MLFLOW_TRACKING_URI"] = environment


def experiment_id(client: mlflow.MlflowClient, name: str, *, tracking_uri: str) -> str:
    """Find an experiment or create it; a local store keeps artifacts beside its file, by absolute path."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    path = local_store(tracking_uri)
    artifacts = (path.parent.resolve() / "mlartifacts").as_uri() if path else None
    return str(client.create_experiment(name, artifact_location=artifacts))


@contextmanager
def quietly() -> Iterator[None]:
    """Drop what MLflow warns of about its own code when its parts are imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def first_line(error: Exception) -> str:
    """Say an error in a line, by its name if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]
