"""The HTTP application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from models.registry import Registry

from .api import decisions, events, explanations, health, openapi, problems, scores, standings
from .api import policies as policy_room
from .api.auth import KeyRing
from .api.envelope import Envelope
from .api.hot import Hot
from .champion import Champion, Models
from .explaining import Explainer
from .metrics import Metrics
from .policies import Policies
from .scoring import ScoringService
from .service import DecisionService
from .settings import Settings
from .store.database import Database

SILENT: Final[TelemetryConfig] = {"tracing": False, "metrics": False, "logs": False}
"""FastAPI's own telemetry: asked for at every request, and ours says more."""
Clock = Callable[[], datetime]


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
    app = FastAPI(
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
    for room in (decisions, explanations, scores, events, policy_room, standings, health):
        app.include_router(room.router)
    openapi.install(app)
    problems.install(app)
    app.add_middleware(
        Hot,
        service=app.state.service,
        scoring=app.state.scoring,
        keys=app.state.keys,
        metrics=metrics,
        clock=clock,
        body_timeout_seconds=settings.body_timeout_seconds,
    )
    app.add_middleware(Envelope, metrics=metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    await app.state.database.open()
    await asyncio.to_thread(app.state.champion.refresh)
    following = asyncio.gather(app.state.champion.follow(), app.state.policies.follow(app.state.database))
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await app.state.service.close()
        await asyncio.to_thread(app.state.champion.shadow.close)
        await app.state.database.close()


def _version() -> str:
    try:
        return version("buyer-tier")
    except PackageNotFoundError:
        return "0"
