"""The registry of models: versions and aliases, which training and serving share."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

import pandas as pd

from .buyer_score import BuyerScore
from .mlflow_store import RegistryUnavailable, first_line, local_store, quietly, store_lock
from .scale import HIGHEST, LOWEST
from .self_check import FILE, SelfCheckFailed, load_checked, save_checked
from .travelling_code import REQUIREMENTS, package_name, write_package

import mlflow  # isort: skip  # after the store, which sets what mlflow reads when it is imported
from mlflow.models import ModelSignature  # isort: skip
from mlflow.types.schema import ColSpec, ParamSchema, ParamSpec, Schema  # isort: skip

BUYER_SCORE: Final = "buyer-score"
CHAMPION: Final = "champion"
CHALLENGER: Final = "challenger"
SELF_CHECK_TAG: Final = "self_check"
CUT_OFF_TAG: Final = "guaranteed_cut_off"
"""The tag by which a version's guaranteed cut-off travels: points, or `none`."""
N_EXAMPLE_ROWS: Final = 3
"""Rows that MLflow shows as an input example; all rows given travel as known answers."""
MODEL_VERSIONS_TAG: Final = "mlflow.modelVersions"
ABSENT: Final = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND"}
"""Codes by which the stores say that there is no such model, version or alias."""
EXISTS: Final = {"RESOURCE_ALREADY_EXISTS"}


class ModelDamaged(RegistryUnavailable):
    """A version's files are not what was saved; whoever has an earlier model keeps it."""


@dataclass(frozen=True)
class LoadedModel:
    """A registered score, ready to use.

    Attributes
    ----------
    guaranteed_cut_off : float or None
        Points from which on the quality tier keeps its budget; None where none is proven or nobody asked.
    registered_at : float or None
        Seconds since 1970.
    """

    score: BuyerScore
    name: str
    version: str
    run_id: str
    catalog_version: str | None
    guaranteed_cut_off: float | None = None
    registered_at: float | None = None


@dataclass(frozen=True)
class LoggedScore:
    """A score in MLflow's store that no registered model names yet."""

    model_uri: str
    model_id: str
    run_id: str


@dataclass(frozen=True)
class ModelVersion:
    """One line of the registry."""

    version: str
    aliases: tuple[str, ...]
    run_id: str
    created_at: datetime
    catalog_version: str | None
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    finished: bool


class Registry:
    """Versions of one registered model.

    Parameters
    ----------
    tracking_uri : str
        MLflow's store: `sqlite:////absolute/mlflow.db` or a server's address.
    name : str
        The registered model.
    """

    def __init__(self, tracking_uri: str, *, name: str = BUYER_SCORE) -> None:
        self.tracking_uri = tracking_uri
        self.name = name

    @cached_property
    def client(self) -> mlflow.MlflowClient:
        """MLflow's client; the first one of a local store makes its tables."""
        with store_lock(self.tracking_uri), quietly():
            client = mlflow.MlflowClient(self.tracking_uri)
            client.search_experiments(max_results=1)
        return client

    def champion(self) -> LoadedModel | None:
        """Load the version that the alias `champion` names; None if there is none yet."""
        return self._load_if_present(lambda: self.client.get_model_version_by_alias(self.name, CHAMPION))

    def champion_version(self) -> str | None:
        """Which version the alias `champion` names, without loading it."""
        return self.version_of(CHAMPION)

    def challenger_version(self) -> str | None:
        """Which version the alias `challenger` names."""
        return self.version_of(CHALLENGER)

    def version_of(self, alias: str) -> str | None:
        """Which version an alias names, without loading it; None if there is none."""
        found = self._if_present(lambda: self.client.get_model_version_by_alias(self.name, alias))
        return None if found is None else str(found.version)

    def load(self, version: str) -> LoadedModel:
        """Load one version; raise LookupError if it is not there."""
        found = self._load_if_present(lambda: self.client.get_model_version(self.name, version))
        if found is None:
            raise LookupError(f"model {self.name!r} has no version {version} in {self.tracking_uri}")
        return found

    def versions(self) -> list[ModelVersion]:
        """All versions, newest first; empty if nothing is registered."""
        registered = self._if_present(lambda: self.client.get_registered_model(self.name))
        if registered is None:
            return []
        aliases: dict[str, list[str]] = {}
        for alias, version in sorted(registered.aliases.items()):
            aliases.setdefault(str(version), []).append(alias)
        found = self._ask(lambda: self.client.search_model_versions(f"name='{self.name}'"))
        rows = [self._line(v, aliases=tuple(aliases.get(str(v.version), ()))) for v in found]
        return sorted(rows, key=lambda row: int(row.version), reverse=True)

    def log(self, score: BuyerScore, *, example: pd.DataFrame, tags: Mapping[str, str]) -> str:
        """Log a fitted score into the active run and register it; return the version."""
        return self.register(self.log_score(score, example=example, tags=tags), tags=tags)

    def log_score(self, score: BuyerScore, *, example: pd.DataFrame, tags: Mapping[str, str]) -> LoggedScore:
        """Log a fitted score into the active run, with its code and its answers to `example`.

        Call it within `tracking(...)` and a run; the model has been loaded from its own code and tried on
        some rows before this returns.
        """
        with quietly():
            importlib.import_module("mlflow.pyfunc")
        some = example.head(N_EXAMPLE_ROWS)
        with tempfile.TemporaryDirectory() as scratch:
            save_checked(score, Path(scratch) / "buyer_score", example=example)
            info = mlflow.pyfunc.log_model(
                name=self.name,
                loader_module=f"{package_name()}.pyfunc",
                data_path=str(Path(scratch) / "buyer_score"),
                code_paths=[str(write_package(Path(scratch) / "code"))],
                signature=_signature(score),
                # MLflow compares the names in a way that pandas warns of, unless they are plain objects.
                input_example=some.set_axis(some.columns.astype(object), axis=1),
                pip_requirements=[f"{name}=={installed_version(name)}" for name in ("mlflow", *REQUIREMENTS)],
                tags=dict(tags),
            )
        return LoggedScore(info.model_uri, info.model_id, info.run_id)

    def register(self, logged: LoggedScore, *, tags: Mapping[str, str]) -> str:
        """Make a logged score the next version, its tags with it; no alias moves."""
        self._make_sure()
        made = self.client.create_model_version(
            self.name,
            source=logged.model_uri,
            run_id=logged.run_id,
            tags=dict(tags) | {SELF_CHECK_TAG: "yes"},
            model_id=logged.model_id,
        )
        links = json.dumps([{"name": self.name, "version": made.version}])
        self.client.set_logged_model_tags(logged.model_id, {MODEL_VERSIONS_TAG: links})
        return str(made.version)

    def point(self, alias: str, version: str | None) -> None:
        """Point an alias at a version, or take it away."""
        with store_lock(self.tracking_uri):
            if version is None:
                self._ask(lambda: self.client.delete_registered_model_alias(self.name, alias))
            else:
                self._ask(lambda: self.client.set_registered_model_alias(self.name, alias, version))

    def tags(self) -> dict[str, str]:
        """Tags of the registered model; empty if there is none."""
        found = self._if_present(lambda: self.client.get_registered_model(self.name))
        return {} if found is None else dict(found.tags)

    def tag(self, key: str, value: str, *, version: str | None = None) -> None:
        """Tag a version, or without one the registered model, which is made if it is missing."""
        with store_lock(self.tracking_uri):
            if version is not None:
                self._ask(lambda: self.client.set_model_version_tag(self.name, version, key, value))
                return
            self._make_sure()
            self._ask(lambda: self.client.set_registered_model_tag(self.name, key, value))

    def _make_sure(self) -> None:
        """Make the registered model if it is missing; on a server another machine may do it meanwhile."""
        if self._if_present(lambda: self.client.get_registered_model(self.name)) is None:
            self._ask(lambda: self.client.create_registered_model(self.name), none_for=EXISTS)

    def _line(self, found: Any, *, aliases: tuple[str, ...]) -> ModelVersion:
        run = self._ask(lambda: self.client.get_run(found.run_id))
        return ModelVersion(
            version=str(found.version),
            aliases=aliases,
            run_id=found.run_id,
            created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, tz=UTC),
            catalog_version=found.tags.get("catalog_version"),
            metrics=dict(run.data.metrics),
            tags=dict(found.tags),
            finished=run.info.status == "FINISHED",
        )

    def _load_if_present(self, find: Any) -> LoadedModel | None:
        found = self._if_present(find)
        return None if found is None else self._ask(lambda: self._load(found))

    def _load(self, found: Any) -> LoadedModel:
        cut_off = _cut_off(found)
        with tempfile.TemporaryDirectory() as scratch:
            # not found.source: "models:/…" would be looked up in the process's default store
            where = self.client.get_model_version_download_uri(self.name, found.version)
            local = mlflow.artifacts.download_artifacts(
                artifact_uri=where, dst_path=scratch, tracking_uri=self.tracking_uri
            )
            score = self._checked(Path(local) / "data" / "buyer_score", found)
        version, catalog = str(found.version), score.catalog_version
        return LoadedModel(
            score,
            self.name,
            version,
            found.run_id,
            catalog,
            guaranteed_cut_off=cut_off,
            registered_at=found.creation_timestamp / 1000,
        )

    def _checked(self, directory: Path, found: Any) -> BuyerScore:
        if found.tags.get(SELF_CHECK_TAG) and not (directory / FILE).exists():
            raise ModelDamaged(f"version {found.version} of {self.name} lacks its known answers")
        try:
            return load_checked(directory)
        except (SelfCheckFailed, OSError) as error:
            raise ModelDamaged(f"version {found.version} of {self.name} is damaged: {error}") from error

    def _if_present(self, question: Any) -> Any:
        path = local_store(self.tracking_uri)
        if path is not None and not path.exists():
            return None
        return self._ask(question, none_for=ABSENT)

    def _ask(self, question: Any, *, none_for: Collection[str] = ()) -> Any:
        try:
            return question()
        except RegistryUnavailable:
            raise
        except Exception as error:  # a broken file or network surfaces as whatever MLflow stands on
            if getattr(error, "error_code", None) in none_for:
                return None
            raise RegistryUnavailable(f"MLflow at {self.tracking_uri}: {first_line(error)}") from error


def cut_off_as_tag(cut_off: float | None) -> str:
    """Write a guaranteed cut-off as the tag of a version, to the last digit: below it nothing is proven."""
    return "none" if cut_off is None else repr(float(cut_off))


def _cut_off(found: Any) -> float | None:
    """Read the tag; one that says no points is refused, since it would let in nobody or everybody."""
    said = found.tags.get(CUT_OFF_TAG, "none")
    try:
        points = None if said == "none" else float(said)
    except ValueError:
        points = float("nan")
    if points is not None and not LOWEST <= points <= HIGHEST:
        raise ModelDamaged(
            f"version {found.version} has the tag {CUT_OFF_TAG} {said!r}: give points from {LOWEST:.0f} to "
            f"{HIGHEST:.0f}, or none"
        )
    return points


def _signature(score: BuyerScore) -> ModelSignature:
    names = [str(name) for name in score.get_feature_names_out()]
    return ModelSignature(
        inputs=Schema([ColSpec("double", name) for name in names]),
        outputs=Schema([ColSpec("double", "p_abuse"), ColSpec("double", "score")]),
        params=ParamSchema([ParamSpec("reasons", "boolean", False), ParamSpec("limit", "long", 3)]),
    )
