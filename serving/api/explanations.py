"""Why a decision came out as it did, in the words of whoever asks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from ..explaining import Audience, Explainer
from . import examples
from .answers import Json
from .auth import require
from .problems import Problem
from .schemas import Asked, Id, Message, Received, Rule

router = APIRouter(
    prefix="/v1/refund-decisions", tags=["Refund decisions"], dependencies=[Depends(require("decide"))]
)


class ExplanationQuery(Asked):
    """Who asks."""

    audience: Audience = Field(alias="for", description="Whose words: each hears what concerns them.")


class BuyerReasonOut(Received):
    """What counted, in the buyer's words."""

    helps: bool
    what: Message
    change: Message | None = Field(description="What would change it; null where it helps.")


class BuyerExplanationOut(Received):
    """For the buyer: no number of the model, nothing of other accounts."""

    decision_id: str
    after_sale_id: str
    audience: Literal["buyer"] = Field(alias="for")
    outcome: Literal["auto_refund", "manual_review"]
    message: Message
    because: list[Message] = Field(description="What of the order kept it from an instant refund.")
    summary: Message
    reasons: list[BuyerReasonOut]


class MerchantExplanationOut(Received):
    """For the shop: which facts of its own order held, and nothing of the buyer but what the notice says."""

    decision_id: str
    after_sale_id: str
    audience: Literal["merchant"] = Field(alias="for")
    outcome: Literal["auto_refund", "manual_review"]
    message: Message
    because: list[Message]


class FeatureEffectOut(Received):
    """One feature's value (null where it is undefined) and its part of the raw score."""

    name: str
    title: Message
    value: float | None
    contribution: float


class OperatorReasonOut(Received):
    """A reason with the features behind it, the strongest first."""

    code: str
    text: Message
    contribution: float
    features: list[FeatureEffectOut]


class CounterfactualOut(Received):
    """The least change of one kind that would make the buyer a quality user."""

    change: str
    amount: int
    points: float
    text: Message


class OperatorExplanationOut(Received):
    """For whoever judges the case: everything. `base` and all contributions add up to `margin`."""

    decision_id: str
    after_sale_id: str
    audience: Literal["operator"] = Field(alias="for")
    buyer_id: str
    outcome: Literal["auto_refund", "manual_review"]
    rules: list[Rule]
    standing: str
    previous_tier: str | None = Field(description="Of the decision before, if the same policy gave it.")
    quality_score_min: float | None = Field(description="Points from which on the quality tier is entered.")
    quality_kept_from: float | None = Field(description="Points down to which who is of it keeps it.")
    model_version: str
    policy_version: str
    requested_at: datetime
    decided_at: datetime
    history_as_decided: bool | None = Field(
        description="Whether the log gives the decision's features today; counterfactuals change the history "
        "of today. Null for a decision of another catalog."
    )
    tier: Literal["quality", "standard", "low", "new"]
    points: float
    p_abuse: float
    margin: float
    base: float
    slope: float
    intercept: float
    reasons: list[OperatorReasonOut]
    would_be_quality: list[CounterfactualOut]


@router.get(
    "/{decision_id}/explanation",
    responses={
        200: {
            "model": BuyerExplanationOut | MerchantExplanationOut | OperatorExplanationOut,
            "description": "In Chinese and English.",
        },
        **examples.problems(401, 403, 404, 410, 422, 500, 503),
    },
)
async def explanation(
    request: Request, decision_id: Annotated[Id, Path()], query: Annotated[ExplanationQuery, Query()]
) -> Response:
    """Explain a decision to the buyer, to the merchant or to the operator.

    By the stored vector, the model and the policy that made it; the id may be the after-sale's.
    """
    explainer: Explainer = request.app.state.explainer
    told = await explainer.explanation(decision_id, query.audience)
    if told is None:
        raise Problem(404, "there is no decision with this id")
    return Json(told)
