"""The HTTP application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.types import Receive, Scope, Send

from models.registry import Registry

from .api import decisions, dossiers, events, explanations, health, openapi, problems, scores, standings
from .api import policies as policy_room
from .api.auth import KeyRing
from .api.envelope import Envelope
from .api.hot import Hot
from .champion import Champion, Models
from .dossier import Dossiers
from .explaining import Explainer
from .metrics import Metrics
from .policies import Policies
from .scoring import ScoringService
from .service import DecisionService
from .settings import Settings
from .store.database import Database

SILENT: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own telemetry: asked for at every request, and ours says more."""
METRICS_SECONDS: Final = 1.0
Clock = Callable[[], datetime]


class Application(FastAPI):
    """FastAPI behind the short way."""

    first: Hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self.first(scope, receive, send)


def now() -> datetime:
    """Read the clock; nothing below the edge does."""
    return datetime.now(UTC)


def create_app(
    settings: Settings, *, database_url: str, models: Models | None = None, clock: Clock = now
) -> FastAPI:
    """Put the service together.

    Parameters
    ----------
    settings : Settings
    database_url : str
        A migrated database; it may be away for a while.
    models : Models, optional
        Where models come from; MLflow's registry by default.
    clock : callable
        Gives the time, timezone-aware.
    """
    database = Database(database_url, size=settings.pool_size, timeout=settings.database_timeout_seconds)
    champion = Champion(
        models or Registry(settings.tracking_uri),
        poll_seconds=settings.model_poll_seconds,
        shadow_share=settings.shadow_share,
    )
    metrics = Metrics()
    app = Application(
        title="buyer-tier",
        version=_version(),
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=SILENT,
    )
    app.router.redirect_slashes = False  # its Location would name http:// behind a proxy that ends TLS
    app.state.settings, app.state.clock, app.state.metrics = settings, clock, metrics
    app.state.database, app.state.champion = database, champion
    app.state.keys = KeyRing(database, seconds=settings.key_cache_seconds)
    policies = app.state.policies = Policies(settings.policy)
    app.state.service = DecisionService(
        database=database,
        champion=champion,
        policies=policies,
        observe=metrics.stage,
        changed=metrics.moved,
        waiting=settings.waiting_limit,
    )
    app.state.scoring = ScoringService(
        database=database, champion=champion, policies=policies, waiting=settings.waiting_limit
    )
    app.state.explainer = Explainer(database=database, champion=champion, policy=settings.policy)
    app.state.dossiers = Dossiers(database=database, champion=champion)
    for room in (decisions, dossiers, explanations, scores, events, policy_room, standings, health):
        app.include_router(room.router)
    openapi.install(app)
    problems.install(app)
    app.add_middleware(Envelope, metrics=metrics)
    app.first = Hot(
        partial(FastAPI.__call__, app),
        service=app.state.service,
        scoring=app.state.scoring,
        keys=app.state.keys,
        metrics=metrics,
        clock=clock,
        body_timeout_seconds=settings.body_timeout_seconds,
    )
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    await app.state.database.open()
    await asyncio.to_thread(app.state.champion.refresh)
    following = asyncio.gather(
        app.state.champion.follow(),
        app.state.policies.follow(app.state.database),
        _leave_metrics(app.state.metrics, app.state.champion),
    )
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await app.state.service.close()
        await asyncio.to_thread(app.state.champion.shadow.close)
        await app.state.database.close()


async def _leave_metrics(metrics: Metrics, champion: Champion) -> None:
    while True:
        metrics.model(champion)
        metrics.leave()
        await asyncio.sleep(METRICS_SECONDS)


def _version() -> str:
    try:
        return version("buyer-tier")
    except PackageNotFoundError:
        return "0"
