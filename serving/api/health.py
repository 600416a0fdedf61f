"""Is it alive, can it decide, and what has it been doing."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from ..errors import Unavailable
from ..metrics import Metrics
from ..service import DecisionService
from ..store import events, skew_checks, sweeps
from . import examples
from .answers import Json
from .problems import RETRY_AFTER_SECONDS, Problem

router = APIRouter(tags=["Running it"])


@router.get("/healthz", responses={200: {"description": "The process answers."}})
async def healthz() -> dict[str, str]:
    """Tell that the process is alive."""
    return {"status": "alive"}


@router.get(
    "/readyz",
    responses={200: {"description": "It can decide."}, **examples.problems(503)},
)
async def readyz(request: Request) -> Response:
    """Tell whether it can decide, or which parts are away."""
    service: DecisionService = request.app.state.service
    missing = [reason for reason in (_model(service), await _database(service)) if reason]
    if missing:
        errors = [{"field": gone.part, "message": gone.reason} for gone in missing]
        detail = "; ".join(map(str, missing))
        raise Problem(503, detail, errors=errors, headers={"Retry-After": RETRY_AFTER_SECONDS})
    model = service.champion.current()
    ready = {
        "status": "ready",
        "model_version": model.version,
        "policy_version": service.in_force(model, request.app.state.clock()).version,
    }
    return Json(ready)


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses={200: {"description": "Prometheus' text format."}},
)
async def metrics(request: Request) -> Response:
    """Give the metrics."""
    await _read_stored(request)
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _read_stored(request: Request) -> None:
    """Look up what the database and the model tell; while one is away, what was known last is given."""
    known: Metrics = request.app.state.metrics
    with suppress(Unavailable):
        async with request.app.state.database.connection() as connection:
            known.skew(await skew_checks.newest(connection))
            known.history(*await events.freshness(connection))
            known.swept(await sweeps.done(connection))
    known.model(request.app.state.champion)


def _model(service: DecisionService) -> Unavailable | None:
    try:
        service.champion.current()
    except Unavailable as gone:
        return gone
    return None


async def _database(service: DecisionService) -> Unavailable | None:
    try:
        await service.database.check()
        async with service.database.connection() as connection:
            await service.policies.refresh(connection)
    except Unavailable as gone:
        return gone
    return None
