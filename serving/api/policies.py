"""Policies: propose one, put one in force, go back, and the kill switch."""

from __future__ import annotations

import tomllib
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from decisions.policy import Policy
from decisions.policy_file import PolicyError, canonical, content_id
from features.errors import BadInput

from .. import policies
from ..errors import PolicyConflict
from ..policies import Policies
from ..store import policies as store
from ..store.database import Database
from ..store.keys import ApiKey
from ..store.policies import Action, Proposed
from . import examples
from .answers import Json
from .auth import require
from .body import body, documented
from .policy_documents import (
    ActivationIn,
    ActivationOut,
    PoliciesOut,
    PolicyOut,
    ProposalIn,
    ReasonIn,
)
from .problems import Problem, invalid
from .schemas import Id

PREFIX: Final = "/v1/policies"
router = APIRouter(prefix=PREFIX, tags=["Policies"])
Reader = Depends(require("policy:propose", "policy:activate", "decide"))
Proposer = Annotated[ApiKey, Depends(require("policy:propose"))]
Activator = Annotated[ApiKey, Depends(require("policy:activate"))]
UNKNOWN: Final = (
    "there is no policy of this version; GET /v1/policies lists those there are, POST proposes one"
)
DONE: Final = {"model": ActivationOut, "description": "Written down; every service has heard of it."}


@router.get(
    "",
    dependencies=[Reader],
    responses={
        200: {"model": PoliciesOut, "description": "Newest first."},
        **examples.problems(401, 403, 422, 500, 503),
    },
)
async def listed(request: Request) -> Response:
    """List the policies, what is in force now, and every act, the last first."""
    known: Policies = request.app.state.policies
    database: Database = request.app.state.database
    async with database.connection() as connection:
        proposed = await store.every(connection)
        acts = await store.activations(connection)
        await known.keep_up(connection, acts[-1].activation_id if acts else None)
    now = known.at(request.app.state.clock())
    return Json(
        {
            "in_force": now.version,
            "stopped": now.stopped,
            "items": [_summary(one) for one in proposed],
            "activations": [policies.shown(act) for act in reversed(acts)],
        }
    )


@router.get(
    "/{version}",
    dependencies=[Reader],
    responses={
        200: {"model": PolicyOut, "description": "The policy."},
        **examples.problems(401, 403, 404, 422, 500, 503),
    },
)
async def read(request: Request, version: Annotated[Id, Path()]) -> Response:
    """Read a policy: its canonical text and its settings.

    What the service adds to a version behind a `+` may be left on: the policy is the same.
    """
    version = version.partition("+")[0]
    database: Database = request.app.state.database
    async with database.connection() as connection:
        found = await store.find(connection, version)
    if found is not None:
        return Json(_whole(found))
    if (shipped := policies.shipped(version)) is None:
        raise Problem(404, UNKNOWN)
    return Json(_shipped(shipped))


@router.post(
    "",
    status_code=201,
    openapi_extra=documented(ProposalIn),
    responses={
        201: {"model": PolicyOut, "description": "Stored; not in force."},
        200: {"model": PolicyOut, "description": "It was stored before."},
        **examples.problems(401, 403, 408, 409, 413, 422, 500, 503),
    },
)
async def propose(
    request: Request, key: Proposer, sent: Annotated[ProposalIn, Depends(body(ProposalIn))]
) -> Response:
    """Propose a policy; it comes into force when somebody else activates it."""
    database: Database = request.app.state.database
    try:
        async with database.transaction() as connection:
            found, new = await policies.propose(connection, sent.text, source="text", key=key)
    except PolicyConflict:
        raise
    except BadInput as error:
        raise invalid([{"loc": ("text",), "msg": said} for said in _mistakes(error)]) from error
    return Json(
        _whole(found), status_code=201 if new else 200, headers={"Location": f"{PREFIX}/{found.version}"}
    )


@router.post(
    "/{version}/activation",
    status_code=201,
    openapi_extra=documented(ActivationIn),
    responses={201: DONE, **examples.problems(401, 403, 404, 408, 409, 413, 422, 500, 503)},
)
async def activate(
    request: Request,
    key: Activator,
    version: Annotated[Id, Path()],
    sent: Annotated[ActivationIn, Depends(body(ActivationIn))],
) -> Response:
    """Put a policy in force, at once or from an instant on; `notice` is the shipped one."""
    database: Database = request.app.state.database
    now = request.app.state.clock()
    try:
        async with database.transaction() as connection:
            act = await policies.activate(
                connection, version, key=key, reason=sent.reason, at=sent.at, now=now
            )
    except LookupError as error:
        raise Problem(404, UNKNOWN) from error
    return Json(policies.shown(act), status_code=201)


def _switch(path: str, action: Action, summary: str) -> None:
    """Add an act that needs no more than a reason."""

    @router.post(
        path,
        name=action,
        status_code=201,
        summary=action.capitalize(),
        description=summary,
        operation_id=f"{action}_policy",
        openapi_extra=documented(ReasonIn),
        responses={201: DONE, **examples.problems(401, 403, 408, 409, 413, 422, 500, 503)},
    )
    async def switch(
        request: Request, key: Activator, sent: Annotated[ReasonIn, Depends(body(ReasonIn))]
    ) -> Response:
        database: Database = request.app.state.database
        now = request.app.state.clock()
        async with database.transaction() as connection:
            act = await policies.change(connection, action, key=key, reason=sent.reason, now=now)
        return Json(policies.shown(act), status_code=201)


_switch("/rollback", "rollback", "Go back to the policy that was in force before, at once.")
_switch("/stop", "stop", "Throw the kill switch: from now on every request goes to a person.")
_switch("/resume", "resume", "Lift the kill switch.")


def _summary(found: Proposed) -> dict[str, Any]:
    return {
        "version": found.version,
        "content_id": found.content_id,
        "proposed_by": found.proposer,
        "proposed_at": found.proposed_at,
    }


def _shipped(policy: Policy) -> dict[str, Any]:
    text = canonical(policy)
    stored = {"proposed_by": None, "proposed_at": None}
    named = {"version": policy.version, "content_id": content_id(policy)}
    return {**named, **stored, "text": text, "settings": tomllib.loads(text)}


def _mistakes(error: BadInput) -> list[str]:
    """Tell each mistake of a text apart, with its line."""
    found = error.__cause__
    if not isinstance(found, PolicyError):
        return [str(error).removeprefix("text: ")]
    return [f"line {line}: {said}" if line else said for line, said in found.mistakes]


def _whole(found: Proposed) -> dict[str, Any]:
    return {**_summary(found), "text": found.text, "settings": tomllib.loads(found.text)}
