"""Every error as a problem document (RFC 9457), with the field where there is one and never a value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from features.errors import BadInput

from ..errors import AfterSaleConflict, ModelGone, NotAllowed, PolicyConflict, StandingConflict, Unavailable
from . import elsewhere

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = "1"
UNREADABLE: Final = (
    "nothing was decided or scored: a buyer's events in the event log cannot be evaluated together, as when "
    "their amounts add up to 2^63 fen or more"
)
SLUGS: Final = {
    401: "unauthenticated",
    403: "missing-scope",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    409: "after-sale-conflict",
    410: "gone",
    413: "content-too-large",
    422: "invalid-request",
    500: "internal-error",
    503: "unavailable",
}


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """A refusal on its way to the client."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        slug: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.slug = slug or SLUGS.get(status, "http")
        self.status, self.detail, self.errors = status, detail, errors
        self.headers = dict(headers or {})


def response(problem: Problem, *, request_id: str | None) -> Response:
    """Write the document."""
    document: dict[str, Any] = {
        "type": f"urn:buyer-tier:problem:{problem.slug}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "request_id": request_id,
    }
    if problem.errors:
        document["errors"] = list(problem.errors)
    return Response(
        msgspec.json.encode(document),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=problem.headers,
    )


def problem_of(error: BadInput | Unavailable) -> Problem:
    """Give the problem that a refusal of the service is."""
    if isinstance(error, AfterSaleConflict):
        return Problem(409, str(error))
    if isinstance(error, BadInput):  # its text names the buyer
        return Problem(422, UNREADABLE)
    return Problem(503, f"send the request again: {error}", headers={"Retry-After": RETRY_AFTER_SECONDS})


def invalid(errors: Sequence[Any]) -> Problem:
    """Name every field that is wrong; what the client sent is not repeated."""
    fields = [{"field": _field(error), "message": error["msg"]} for error in errors]
    first = fields[0]
    rest = f" (and {len(fields) - 1} more)" if len(fields) > 1 else ""
    return Problem(422, f"{first['field']}: {first['message']}{rest}", errors=fields)


def invalid_document(error: ValidationError) -> Problem:
    """Name what is wrong with a body."""
    return invalid(error.errors(include_url=False, include_input=False))


def _field(error: Any) -> str:
    if named := error.get("ctx", {}).get("field"):
        return str(named)
    parts = [str(part) for part in error["loc"] if part not in ("query", "path", "header")]
    return ".".join(parts) or "body"


def install(app: FastAPI) -> None:
    """Let every error of the application end as a problem document."""

    def answer(request: Request, problem: Problem) -> Response:
        return response(problem, request_id=request.scope.get("request_id"))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Problem)
        return answer(request, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        detail, headers, path = str(error.detail), dict(error.headers or {}), request.url.path
        if error.status_code == HTTPStatus.NOT_FOUND:
            detail = elsewhere.no_path(app, path)
        elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(elsewhere.methods_at(app, path))
            detail = f"this path takes {headers['Allow']}"
        return answer(request, Problem(error.status_code, detail, headers=headers))

    async def parameters(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request, invalid(error.errors()))

    async def refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, BadInput | Unavailable)
        return answer(request, problem_of(error))

    async def gone(request: Request, error: Exception) -> Response:
        return answer(request, Problem(410, str(error)))

    async def conflict(request: Request, error: Exception) -> Response:
        return answer(request, Problem(409, str(error), slug="policy-conflict"))

    async def not_allowed(request: Request, error: Exception) -> Response:
        return answer(request, Problem(403, str(error), slug="not-allowed"))

    async def no_effect(request: Request, error: Exception) -> Response:
        return answer(request, Problem(409, str(error), slug="standing-conflict"))

    app.add_exception_handler(PolicyConflict, conflict)
    app.add_exception_handler(StandingConflict, no_effect)
    app.add_exception_handler(NotAllowed, not_allowed)
    app.add_exception_handler(Problem, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, parameters)
    app.add_exception_handler(BadInput, refusal)
    app.add_exception_handler(ModelGone, gone)
    app.add_exception_handler(Unavailable, refusal)
