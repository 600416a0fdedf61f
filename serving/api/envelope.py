"""Around every request: an id, a line in the log, a count, and an answer even if our code breaks."""

from __future__ import annotations

import os
import re
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..logs import note_answer, trace_of
from ..metrics import Metrics
from .problems import Problem, response

ACCEPTABLE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
KNOWN: Final = frozenset(("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"))
UNNOTED: Final = ("/healthz", "/readyz", "/metrics")
IDS_AT_ONCE: Final = 256
log = structlog.get_logger()
_ids: Final[list[str]] = []


class Envelope:
    """ASGI middleware; logs the route and not the path, which names buyers."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and see to what surrounds it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = scope.get("started") or time.perf_counter(), 0
        request_id = scope["request_id"] = scope.get("request_id") or request_id_of(scope)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            log.error(
                "failed",
                request_id=request_id,
                method=_method(scope),
                route=_route(scope),
                trace=trace_of(error),
            )
            if not status:
                broken = Problem(500, "the service failed; the log has the request id")
                await response(broken, request_id=request_id)(scope, receive, send_with_id)
        finally:
            note(
                self._metrics, request_id, method=_method(scope), route=_route(scope), status=status,
                seconds=time.perf_counter() - started,
            )  # fmt: skip


def note(metrics: Metrics, request_id: str, *, method: str, route: str, status: int, seconds: float) -> None:
    """Count an answer, and log it unless a machine only looks whether we live."""
    metrics.answered(method=method, route=route, status=status, seconds=seconds)
    if route not in UNNOTED:
        note_answer(request_id, method=method, route=route, status=status, ms=round(seconds * 1000, 2))


def request_id_of(scope: Scope) -> str:
    """Take the client's id if it is plainly one, else make one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and ACCEPTABLE_ID.fullmatch(value):
            return str(value.decode())
    return new_request_id()


def new_request_id() -> str:
    """Make an id; randomness is fetched for many at once, which is one call of the system."""
    if not _ids:
        drawn = os.urandom(16 * IDS_AT_ONCE).hex()
        _ids.extend(drawn[at : at + 32] for at in range(0, len(drawn), 32))
    return _ids.pop()


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unknown"))


def _method(scope: Scope) -> str:
    """Keep to the known methods: a client must not be able to make up label values."""
    return scope["method"] if scope["method"] in KNOWN else "other"
