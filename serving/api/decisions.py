"""Refund decisions: make one, read one, list them."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from ..metrics import Metrics
from ..service import Decided, DecisionService
from ..store.decisions import Page
from . import examples
from .answers import Json
from .auth import require
from .body import body, documented
from .problems import Problem, invalid
from .schemas import Asked, DecisionPage, ExplainQuery, Id, Instant, RefundDecision, RefundDecisionIn

MAX_LIMIT: Final = 200
PREFIX: Final = "/v1/refund-decisions"
REPLAY: Final = "Idempotent-Replay"
router = APIRouter(prefix=PREFIX, tags=["Refund decisions"], dependencies=[Depends(require("decide"))])


class PageQuery(Asked):
    """Filters of a list; times are half-open, ``[from, to)``, and of the decision."""

    buyer_id: Id | None = None
    shop_id: Id | None = None
    outcome: Literal["auto_refund", "manual_review"] | None = None
    since: Instant | None = Field(default=None, alias="from")
    until: Instant | None = Field(default=None, alias="to")
    cursor: str | None = Field(default=None, max_length=100)
    limit: int = Field(default=50, ge=1, le=MAX_LIMIT)


@router.post(
    "",
    status_code=201,
    openapi_extra=documented(RefundDecisionIn),
    responses={
        201: {"model": RefundDecision, "description": "Decided and stored.", **examples.DECIDED},
        200: {
            "model": RefundDecision,
            "description": "Decided before; this is the stored answer.",
            "headers": {REPLAY: {"schema": {"type": "string", "const": "true"}}},
        },
        **examples.problems(401, 403, 408, 409, 413, 422, 500, 503),
    },
)
async def create(
    request: Request,
    sent: Annotated[RefundDecisionIn, Depends(body(RefundDecisionIn))],
    query: Annotated[ExplainQuery, Query()],
) -> Response:
    """Decide a refund request once and for all."""
    service: DecisionService = request.app.state.service
    metrics: Metrics = request.app.state.metrics
    now = request.app.state.clock()
    asked = sent.request(now)
    decided = await service.decide(asked, digest=sent.digest(asked), decided_at=now)
    status, headers = told(decided, metrics)
    answer = (await service.explain([decided.row]))[0] if query.explain else decided.row.answer
    return Json(msgspec.Raw(answer), status_code=status, headers=headers)


def told(decided: Decided, metrics: Metrics) -> tuple[int, dict[str, str]]:
    """Count a decision if it is new, and give status and headers of its answer."""
    headers = {"location": f"{PREFIX}/{decided.row.decision_id}"}
    if decided.created:
        metrics.decided(decided)
        return 201, headers
    return 200, headers | {REPLAY: "true"}


@router.get(
    "/{decision_id}",
    responses={
        200: {"model": RefundDecision, "description": "The stored decision with its reasons."},
        **examples.problems(401, 403, 404, 422, 500, 503),
    },
)
async def read(request: Request, decision_id: Annotated[Id, Path()]) -> Response:
    """Read a decision; the reasons are those of the model that made it."""
    service: DecisionService = request.app.state.service
    row = await service.find(decision_id)
    if row is None:
        raise Problem(404, "there is no decision with this id")
    return Json(msgspec.Raw((await service.explain([row]))[0]))


@router.get(
    "",
    responses={
        200: {"model": DecisionPage, "description": "Newest first."},
        **examples.problems(401, 403, 422, 500, 503),
    },
)
async def listed(request: Request, query: Annotated[PageQuery, Query()]) -> Response:
    """List decisions, newest first; ones made meanwhile do not shift the pages."""
    service: DecisionService = request.app.state.service
    page = Page(
        buyer_id=query.buyer_id,
        shop_id=query.shop_id,
        outcome=query.outcome,
        since=query.since,
        until=query.until,
        before=_before(query.cursor),
        limit=query.limit,
    )
    rows = await service.listed(page)
    shown = rows[: page.limit]
    following = _cursor(shown[-1].decision_id) if len(rows) > page.limit else None
    items = [msgspec.Raw(answer) for answer in await service.explain(shown)]
    return Json({"items": items, "next_cursor": following})


def _cursor(decision_id: str) -> str:
    return base64.urlsafe_b64encode(UUID(decision_id).bytes).decode().rstrip("=")


def _before(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        return str(UUID(bytes=base64.urlsafe_b64decode(cursor.encode() + b"==")))
    except (ValueError, binascii.Error) as error:
        wrong = {"loc": ("query", "cursor"), "msg": "must be a next_cursor of this list"}
        raise invalid([wrong]) from error
