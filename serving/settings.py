"""Settings of the service, read from the environment; each is described in ``docs/settings.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from decisions.policy import GUARANTEED, NOTICE, Policy
from features.errors import BadInput


class Settings(BaseSettings):
    """Where things are and how long to wait for them.

    Attributes
    ----------
    home : Path
        The workspace: the embedded database and, by default, MLflow's store.
    database_url : str or None
        ``postgresql://…`` of a managed server; None runs the embedded PostgreSQL in the workspace.
    mlflow_tracking_uri : str
        Empty means the SQLite file in the workspace; read it through ``tracking_uri``.
    host, port : str, int
        Where the service listens.
    workers : int
        Processes that serve the port.
    pool_size : int
        Connections to the database, of each worker.
    database_timeout_seconds : float
        How long one wait for the database may last before the answer is a 503.
    body_timeout_seconds : float
        How long a client may take to send one request's body.
    model_poll_seconds : float
        How often the registry is asked for another champion.
    shadow_share : float
        Share of decisions that the challenger, if there is one, scores too; only the log sees it.
    quality_cut_off : str
        ``notice``: the quality tier begins at the shipped policy's points. ``guaranteed``: at what each model
        has proven to keep the loss budget, and for nobody where none is proven.
    key_cache_seconds : float
        How long a key is trusted without asking the database; a revocation takes this long at most.
    waiting_limit : int
        How many requests may wait to be decided; more are told at once to come again.

    Raises
    ------
    BadInput
        A value cannot be what its setting is; says which.
    """

    model_config = SettingsConfigDict(env_prefix="BUYER_TIER_", frozen=True, populate_by_name=True)

    home: Path = Path(".buyer-tier")
    database_url: str | None = None
    mlflow_tracking_uri: str = Field(default="", validation_alias="MLFLOW_TRACKING_URI")
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    pool_size: int = Field(default=10, ge=1)
    database_timeout_seconds: float = Field(default=5.0, gt=0)
    body_timeout_seconds: float = Field(default=20.0, gt=0)
    model_poll_seconds: float = Field(default=3.0, gt=0)
    shadow_share: float = Field(default=0.1, ge=0, le=1)
    quality_cut_off: Literal["notice", "guaranteed"] = "notice"
    key_cache_seconds: float = Field(default=5.0, ge=0)
    waiting_limit: int = Field(default=1000, ge=1)

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise BadInput(f"setting {_variable(first['loc'])}: {first['msg']}") from error

    @property
    def tracking_uri(self) -> str:
        """MLflow's store: what the environment names, else ``mlflow.db`` in the workspace."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home.absolute() / 'mlflow.db'}"

    @property
    def policy(self) -> Policy:
        """The policy that decides and that retrainings are judged by."""
        return GUARANTEED if self.quality_cut_off == "guaranteed" else NOTICE


def _variable(location: tuple[int | str, ...]) -> str:
    """Name a field by its environment variable, in whichever way it was given."""
    name = str(location[0]).upper()
    return name if name == "MLFLOW_TRACKING_URI" else f"BUYER_TIER_{name.removeprefix('BUYER_TIER_')}"
