"""Scores: of one buyer with reasons, of many without."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from ..scoring import BuyerScored, ScoringService
from . import examples
from .answers import Json
from .auth import require
from .body import body, documented
from .schemas import BuyerScoreOut, ExplainQuery, Id, ScorePage, ScoreQuery, ScoresIn

router = APIRouter(prefix="/v1", tags=["Scores"], dependencies=[Depends(require("score:read"))])


@router.get(
    "/buyers/{buyer_id}/score",
    responses={
        200: {"model": BuyerScoreOut, "description": "The score and its reasons."},
        **examples.problems(401, 403, 422, 500, 503),
    },
)
async def score(
    request: Request, buyer_id: Annotated[Id, Path()], query: Annotated[ScoreQuery, Query()]
) -> Response:
    """Score a buyer; one of whom nothing is known is scored as new."""
    scoring: ScoringService = request.app.state.scoring
    as_of = query.as_of or request.app.state.clock()
    scored = await scoring.score(buyer_id, as_of=as_of, explain=True)
    return Json(shown(scored))


@router.post(
    "/scores",
    openapi_extra=documented(ScoresIn),
    responses={
        200: {"model": ScorePage, "description": "Scores in the order of the ids."},
        **examples.problems(401, 403, 408, 413, 422, 500, 503),
    },
)
async def scores(
    request: Request,
    sent: Annotated[ScoresIn, Depends(body(ScoresIn))],
    query: Annotated[ExplainQuery, Query()],
) -> Response:
    """Score up to 1,000 buyers at one instant."""
    scoring: ScoringService = request.app.state.scoring
    now = request.app.state.clock()
    items = await scoring.scores(sent.buyer_ids, as_of=now, explain=query.explain)
    return Json({"items": list(map(shown, items))})


def shown(scored: BuyerScored) -> dict[str, object]:
    """Give a score the form of the interface."""
    return {
        "buyer_id": scored.buyer_id,
        "score": scored.evidence.score,
        "p_abuse": scored.evidence.p_abuse,
        "tier": scored.tier,
        "reasons": scored.reasons,
        "as_of": scored.as_of,
        "model_version": scored.model_version,
        "catalog_version": scored.catalog_version,
    }
