"""A buyer's standing, for operators: read it, act on it, file and decide appeals."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Path, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from decisions.standing import FRESH, SignalKind, State, state_of
from decisions.way_back import way_back
from models.deciding.moving import Moved

from ..acting import Action, Shown, act, look
from ..metrics import Metrics
from ..policies import Policies
from ..scoring import ScoringService
from ..store import standings as store
from ..store.database import Database
from ..store.keys import ApiKey
from . import examples
from .answers import Json
from .auth import require
from .body import body, documented
from .problems import Problem
from .schemas import Id, Instant, Message, Received, Sent, Text

router = APIRouter(prefix="/v1", tags=["Standing"])
Writer = Annotated[ApiKey, Depends(require("standing:write"))]
Judge = Annotated[ApiKey, Depends(require("appeals:decide"))]
Buyer = Annotated[Id, Path()]
Why = Annotated[Text, Field(min_length=1, description="Why, in words and without the buyer's data.")]


class StandingReasonIn(Sent):
    """A person's action."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "three parcels were raced"}]})

    reason: Why


class RestrictionIn(StandingReasonIn):
    """How long to restrict, and why."""

    until: Instant | None = Field(default=None, description="The policy's `restrict_days`, if left out.")


class ResolutionIn(StandingReasonIn):
    """What became of an appeal."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"decision": "granted", "reason": "he was right"}]}
    )

    decision: Literal["granted", "rejected"]


class StandingOut(Received):
    """A buyer's standing now. `history` is for operators: evidence may name other accounts."""

    buyer_id: str
    state: State
    since: datetime | None
    until: datetime | None
    rule: str | None
    appeal: str | None = Field(description="The open appeal.")
    way_back: Message = Field(description="For the buyer.")
    history: list[dict[str, Any]] = Field(description="Every change, the first first.")


DONE: Final = {"model": StandingOut, "description": "Done; the standing as it is now."}
PROBLEMS: Final = (401, 403, 408, 409, 413, 422, 500, 503)


@router.get(
    "/buyers/{buyer_id}/standing",
    dependencies=[Depends(require("standing:read"))],
    responses={
        200: {"model": StandingOut, "description": "The standing."},
        **examples.problems(401, 403, 422, 500, 503),
    },
)
async def read(request: Request, buyer_id: Buyer) -> Response:
    """Read a buyer's standing; whoever was never heard of is new."""
    return await _shown(request, buyer_id, status=200)


def _operator(path: str, kind: SignalKind, says: str) -> None:
    """Add a person's action that needs no more than a reason."""

    @router.post(
        f"/buyers/{{buyer_id}}/{path}",
        name=kind,
        status_code=201,
        summary=kind.replace("_", " ").capitalize(),
        description=says,
        operation_id=kind,
        openapi_extra=documented(StandingReasonIn),
        responses={201: DONE, **examples.problems(*PROBLEMS)},
    )
    async def acted(
        request: Request,
        key: Writer,
        buyer_id: Buyer,
        sent: Annotated[StandingReasonIn, Depends(body(StandingReasonIn))],
    ) -> Response:
        await _act(request, buyer_id, Action(kind=kind, actor=key.name, reason=sent.reason))
        return await _shown(request, buyer_id, status=201)


_operator("standing/warnings", "operator_warned", "Watch the buyer, which is a warning.")
_operator(
    "standing/revocations", "operator_revoked", "Take automatic refunds away until a person gives them back."
)
_operator("standing/reinstatements", "operator_reinstated", "Give back what was taken away.")
_operator("appeals", "appeal_filed", "File the buyer's appeal; `appeal` names it.")


@router.post(
    "/buyers/{buyer_id}/standing/restrictions",
    status_code=201,
    openapi_extra=documented(RestrictionIn),
    responses={201: DONE, **examples.problems(*PROBLEMS)},
)
async def restrict(
    request: Request,
    key: Writer,
    buyer_id: Buyer,
    sent: Annotated[RestrictionIn, Depends(body(RestrictionIn))],
) -> Response:
    """Take automatic refunds away for a while."""
    action = Action(kind="operator_restricted", actor=key.name, reason=sent.reason, until=sent.until)
    await _act(request, buyer_id, action)
    return await _shown(request, buyer_id, status=201)


@router.post(
    "/appeals/{appeal_id}/resolution",
    status_code=201,
    openapi_extra=documented(ResolutionIn),
    responses={201: DONE, **examples.problems(404, *PROBLEMS)},
)
async def resolve(
    request: Request,
    key: Judge,
    appeal_id: Annotated[Id, Path()],
    sent: Annotated[ResolutionIn, Depends(body(ResolutionIn))],
) -> Response:
    """Decide an appeal: granted, the buyer has everything back at once."""
    database: Database = request.app.state.database
    async with database.connection() as connection:
        buyer_id = await store.buyer_of_appeal(connection, appeal_id)
    if buyer_id is None:
        raise Problem(404, "there is no appeal with this id")
    kind: SignalKind = "appeal_granted" if sent.decision == "granted" else "appeal_rejected"
    await _act(request, buyer_id, Action(kind=kind, actor=key.name, reason=sent.reason, reference=appeal_id))
    return await _shown(request, buyer_id, status=201)


async def _act(request: Request, buyer_id: str, action: Action) -> Moved:
    database: Database = request.app.state.database
    policies: Policies = request.app.state.policies
    metrics: Metrics = request.app.state.metrics
    now = request.app.state.clock()
    async with database.transaction() as connection:
        moved = await act(connection, buyer_id, action, policy=policies.at(now), now=now)
    for change in moved.transitions:
        metrics.moved(change)
    return moved


async def _shown(request: Request, buyer_id: str, *, status: int) -> Response:
    """Answer with the standing; between new and eligible the buyer's history decides, as in a decision."""
    scoring: ScoringService = request.app.state.scoring
    policies: Policies = request.app.state.policies
    now = request.app.state.clock()
    async with scoring.database.connection() as connection:
        found = await look(connection, buyer_id, policy=policies.at(now), now=now)
    scored = await scoring.score(buyer_id, as_of=now, explain=False)
    state = state_of(scored.evidence, policies.at(now), found.standing)
    return Json(_document(buyer_id, state, found), status_code=status)


def _document(buyer_id: str, state: State, found: Shown) -> dict[str, Any]:
    standing = found.standing if state == found.standing.state else FRESH
    return {
        "buyer_id": buyer_id,
        "state": state,
        "since": standing.since,
        "until": standing.until,
        "rule": standing.rule,
        "appeal": found.standing.appeal,
        "way_back": way_back(state, standing.until),
        "history": found.history,
    }
