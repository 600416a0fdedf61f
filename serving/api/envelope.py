"""Around every request: an id, a line in the log, a count, and an answer even if our code breaks."""

from __future__ import annotations

import re
import secrets
import time
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..logs import trace_of
from ..metrics import Metrics
from .problems import Problem, response

ACCEPTABLE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
KNOWN: Final = frozenset(("GET", "POST", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"))
log = structlog.get_logger()


class Envelope:
    """ASGI middleware; logs the route and not the path, which names buyers."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and see to what surrounds it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        request_id = scope["request_id"] = _request_id(scope)

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
            self._note(scope, request_id, status, time.perf_counter() - started)

    def _note(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route, method = _route(scope), _method(scope)
        self._metrics.answered(method=method, route=route, status=status, seconds=seconds)
        if route not in ("/healthz", "/readyz", "/metrics"):
            log.info(
                "answered",
                request_id=request_id,
                method=method,
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
            )


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"")
    return given.decode() if ACCEPTABLE_ID.fullmatch(given) else secrets.token_hex(16)


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "unknown"))


def _method(scope: Scope) -> str:
    """Keep to the known methods: a client must not be able to make up label values."""
    return scope["method"] if scope["method"] in KNOWN else "other"
