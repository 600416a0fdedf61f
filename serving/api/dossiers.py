"""A decision's dossier, for auditors."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import Field
from starlette.responses import Response

from ..dossier import Dossiers
from . import examples
from .answers import Json
from .auth import require
from .problems import Problem
from .schemas import Id, Message, Received, Rule

router = APIRouter(
    prefix="/v1/refund-decisions", tags=["Audit"], dependencies=[Depends(require("audit:read"))]
)


class DossierReasonOut(Received):
    """What counted in the score, in log-odds of abuse."""

    code: str
    text: Message
    contribution: float


class DossierBuyerOut(Received):
    """What was known of the buyer, and the rule by which it made the tier."""

    buyer_id: str
    score: float
    p_abuse: float
    tier: str
    tier_before: str | None
    tier_rule: dict[str, float | None] | None
    evidence: dict[str, Any]


class StandingChangeOut(Received):
    """One change of the standing that the decision knew of."""

    version: int
    at: datetime
    from_state: str
    to_state: str
    rule: str
    kind: str | None
    actor: str
    policy_version: str
    until: datetime | None
    evidence: dict[str, str | int | float | bool]
    way_back: Message


class DossierStandingOut(Received):
    """The standing in which it was judged."""

    state: str
    changes: list[StandingChangeOut]


class DossierCapsOut(Received):
    """What was used of caps and budgets before and after; fen and counts."""

    before: dict[str, Any]
    after: dict[str, Any]


class DossierFeatureOut(Received):
    """One value of the vector; null where it is undefined."""

    name: str
    title: Message
    value: float | None


class DossierModelOut(Received):
    """Which model scored, on which catalog of features."""

    version: str
    catalog_version: str


class DossierActOut(Received):
    """What had been put in force until then; a null version is the shipped policy."""

    action: str
    version: str | None
    starts_at: datetime | None
    made_at: datetime
    maker: str
    reason: str


class DossierPolicyOut(Received):
    """The policy's text as it is kept, and what the service changed of it: stopped, a cut-off filled in."""

    version: str
    changed_by_the_service: list[str]
    content_id: str | None = Field(description="SHA-256 of the text.")
    text: str | None
    proposer: str | None = None
    proposed_at: datetime | None = None
    acts: list[DossierActOut]


class DossierChainOut(Received):
    """Where the record is chained; hashes in hexadecimal."""

    partition: str
    place: int
    digest: str = Field(description="SHA-256 of the record as it is stored now.")
    hash_before: str
    hash: str
    holds: bool = Field(description="Whether the three give the hash. `audit verify` follows whole chains.")


class DossierOut(Received):
    """Everything that a decision was made from."""

    decision_id: str
    after_sale_id: str
    outcome: Literal["auto_refund", "manual_review"]
    message: Message
    requested_at: datetime
    decided_at: datetime
    request: dict[str, Any]
    rules: list[Rule]
    failed: list[str]
    order_as_known: dict[str, Any] = Field(
        description="What the log and earlier decisions said of the order."
    )
    contradictions: list[str] = Field(description="Where request and log disagreed; the stricter won.")
    buyer: DossierBuyerOut
    standing: DossierStandingOut
    caps: DossierCapsOut | None = Field(description="Null where the policy limited nothing.")
    features: list[DossierFeatureOut]
    reasons: list[DossierReasonOut] | None = Field(description="Null if the registry has the model no more.")
    model: DossierModelOut
    policy: DossierPolicyOut
    propensity: float
    chain: DossierChainOut


@router.get(
    "/{decision_id}/dossier",
    responses={
        200: {"model": DossierOut, "description": "Everything that the decision was made from."},
        **examples.problems(401, 403, 404, 422, 500, 503),
    },
)
async def dossier(request: Request, decision_id: Annotated[Id, Path()]) -> Response:
    """Lay a decision open to an auditor; the id may be the after-sale's.

    Of other buyers it holds nothing: where an account shares a link, it says that one does.
    """
    dossiers: Dossiers = request.app.state.dossiers
    found = await dossiers.dossier(decision_id)
    if found is None:
        raise Problem(404, "there is no decision with this id")
    return Json(found)
