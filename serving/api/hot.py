"""The short way for decisions and scores: what is plainly right is answered here, all else by the routes.

FastAPI's routing, dependencies and pydantic take longer than the decision itself. A request comes this way
only if nothing about it is doubtful: its key is one that was looked up a moment ago, its body is small,
complete and strictly of the schema. Anything else, wrong in whichever way, is handed on untouched with its
body; so what is refused, and how, is said in one place only. That both ways read a body alike is tested.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from features.errors import BadInput

from ..errors import Unavailable
from ..metrics import Metrics
from ..scoring import ScoringService
from ..service import DecisionService
from . import body, problems
from .auth import KeyRing
from .decisions import PREFIX as DECISIONS
from .decisions import told
from .documents import decision_request
from .envelope import Envelope, note, request_id_of
from .scores import shown

BUYERS: Final = "/v1/buyers/"
SCORE: Final = "/score"
MAX_BYTES: Final = 1 << 16
_encode: Final = msgspec.json.Encoder().encode


_ROUTE_OF_SCORE: Final = "/v1/buyers/{buyer_id}/score"
_Headers = list[tuple[bytes, bytes]]


class _Route:
    """Stands in the scope where Starlette puts the route, for the log and the metrics."""

    def __init__(self, path: str) -> None:
        self.path = path


class Hot:
    """ASGI application before all others, those of FastAPI, too: each of them costs a request microseconds.

    Parameters
    ----------
    app : ASGIApp
        The routes and what surrounds them.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        service: DecisionService,
        scoring: ScoringService,
        keys: KeyRing,
        metrics: Metrics,
        clock: Callable[[], datetime],
        body_timeout_seconds: float,
    ) -> None:
        self._app, self._service, self._scoring = app, service, scoring
        self._keys, self._metrics, self._clock = keys, metrics, clock
        self._body_seconds = body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on."""
        if scope["type"] == "http" and not scope["query_string"]:
            path, method = scope["path"], scope["method"]
            if path == DECISIONS and method == "POST":
                await self._decide(scope, receive, send)
                return
            if method == "GET" and path.startswith(BUYERS) and path.endswith(SCORE):
                await self._score(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _decide(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, now = time.perf_counter(), self._clock()
        if not self._may(scope, "decide", now):
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._body_seconds):
                messages, content = await _taken(receive)
        except TimeoutError:
            await self._failed(body.too_slow(), DECISIONS, started)(scope, receive, send)
            return
        asked = None if content is None else decision_request(content, now)
        if asked is None:
            await self._app(scope, _again(messages, receive), send)
            return
        try:
            decided = await self._service.decide(asked.request, digest=asked.digest, decided_at=now)
        except Exception as error:
            await self._failed(error, DECISIONS, started)(scope, receive, send)
            return
        status, named = told(decided, self._metrics)
        headers = [(name.lower().encode(), value.encode()) for name, value in named.items()]
        content = decided.row.answer
        await self._answer(scope, send, status, content, headers, route=DECISIONS, started=started)

    async def _score(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, buyer_id, now = time.perf_counter(), _buyer_of(scope), self._clock()
        if buyer_id is None or not self._may(scope, "score:read", now):
            await self._app(scope, receive, send)
            return
        try:
            scored = await self._scoring.score(buyer_id, as_of=now, explain=True)
        except Exception as error:
            await self._failed(error, _ROUTE_OF_SCORE, started)(scope, receive, send)
            return
        content = _encode(shown(scored))
        await self._answer(scope, send, 200, content, [], route=_ROUTE_OF_SCORE, started=started)

    async def _answer(
        self,
        scope: Scope,
        send: Send,
        status: int,
        content: bytes,
        headers: _Headers,
        *,
        route: str,
        started: float,
    ) -> None:
        request_id = request_id_of(scope)
        headers += [
            (b"content-length", b"%d" % len(content)),
            (b"content-type", b"application/json"),
            (b"x-request-id", request_id.encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})
        seconds = time.perf_counter() - started
        note(
            self._metrics,
            request_id,
            method=scope["method"],
            route=route,
            status=status,
            seconds=seconds,
        )

    def _failed(self, error: Exception, route: str, started: float) -> ASGIApp:
        """Make the application that answers what went wrong, surrounded as the routes are."""

        async def tell(scope: Scope, receive: Receive, send: Send) -> None:
            if not isinstance(error, problems.Problem | BadInput | Unavailable):
                raise error
            problem = error if isinstance(error, problems.Problem) else problems.problem_of(error)
            await problems.response(problem, request_id=scope["request_id"])(scope, receive, send)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            scope["route"], scope["started"] = _Route(route), started
            await Envelope(tell, metrics=self._metrics)(scope, receive, send)

        return answer

    def _may(self, scope: Scope, wanted: str, now: datetime) -> bool:
        """Tell whether the key was looked up a moment ago and has the scope; if not, the route says why."""
        for name, value in scope["headers"]:
            if name == b"authorization":
                if value[:7] != b"Bearer ":
                    return False
                key = self._keys.remembered(value[7:])
                return key is not None and wanted in key.scopes and key.valid_at(now)
        return False


def _buyer_of(scope: Scope) -> str | None:
    """Read the buyer's id off the path if it is plainly one."""
    buyer_id: str = scope["path"][len(BUYERS) : -len(SCORE)]
    plain = 0 < len(buyer_id) <= 128 and "/" not in buyer_id and "\0" not in buyer_id
    return buyer_id if plain else None


async def _taken(receive: Receive) -> tuple[list[Message], bytes | None]:
    """Take the body, or as much of it as shows that it is large or broken off; then there is no content."""
    messages, content = [], b""
    while True:
        message = await receive()
        messages.append(message)
        content += message.get("body", b"")
        if message["type"] != "http.request" or len(content) > MAX_BYTES:
            return messages, None
        if not message.get("more_body"):
            return messages, content


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Give the messages that have been taken once more, then what follows them."""
    first = deque(messages)

    async def again() -> Message:
        return first.popleft() if first else await receive()

    return again
