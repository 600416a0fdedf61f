"""The OpenAPI document and its page, which needs nothing from outside this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import fastapi_offline
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from .events import EventsDocumented
from .policy_documents import ActivationIn, ProposalIn, ReasonIn
from .schemas import ProblemOut, RefundDecisionIn, ScoresIn
from .standings import ResolutionIn, RestrictionIn, StandingReasonIn

ASSETS: Final = "/docs/assets"
READ_BY_US: Final = (
    RefundDecisionIn,
    ScoresIn,
    EventsDocumented,
    ProposalIn,
    ActivationIn,
    ReasonIn,
    StandingReasonIn,
    RestrictionIn,
    ResolutionIn,
    ProblemOut,
)
DESCRIPTION: Final = (
    "Instant refund before shipment. A request that meets every rule is refunded at once; any other goes "
    "to the merchant's ordinary review. The service never refuses a refund.\n\n"
    "Money is integer fen, time is ISO 8601 with a zone. Errors are problem documents (RFC 9457)."
)


def install(app: FastAPI) -> None:
    """Serve ``/openapi.json`` with the bodies that we read ourselves, and ``/docs``."""
    app.openapi = lambda: _cached(app)  # type: ignore[method-assign]
    static = Path(fastapi_offline.__file__).parent / "static"
    app.mount(ASSETS, StaticFiles(directory=static), name="docs-assets")

    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="/openapi.json",
            title=app.title,
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon.png",
        )


def _cached(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = _schema(app)
    return app.openapi_schema


def _schema(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    models = [(model, "validation") for model in READ_BY_US]
    _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    document["components"].setdefault("schemas", {}).update(definitions["$defs"])
    return document
