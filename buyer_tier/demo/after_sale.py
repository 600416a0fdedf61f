"""An after-sale system: sends refund requests to the service over HTTP and keeps the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from decisions.request import RefundRequest


class AnswerMissing(Exception):  # noqa: N818 - it names what happened
    """The service did not decide a request."""


@dataclass(frozen=True)
class Answer:
    """One decision as the client saw it; ``seconds`` from sending to the last byte."""

    request: RefundRequest
    body: dict[str, Any]
    seconds: float

    @property
    def refunded(self) -> bool:
        """Whether the service granted the refund at once."""
        return bool(self.body["outcome"] == "auto_refund")

    @property
    def first_failed(self) -> str | None:
        """Code of the first rule that sent the request to a person."""
        return next((rule["code"] for rule in self.body["rules"] if not rule["passed"]), None)


def ask(
    requests: Sequence[RefundRequest],
    *,
    url: str,
    key: str,
    connections: int = 4,
    answered: Callable[[], None] = lambda: None,
) -> list[Answer]:
    """Send every request, a few at a time, and return the answers in the order of the requests.

    Raises
    ------
    AnswerMissing
        The service answered something else than a decision; says what.
    """
    return asyncio.run(_ask(requests, url=url, key=key, connections=connections, answered=answered))


async def _ask(
    requests: Sequence[RefundRequest],
    *,
    url: str,
    key: str,
    connections: int,
    answered: Callable[[], None],
) -> list[Answer]:
    queue = iter(enumerate(requests))
    answers: dict[int, Answer] = {}
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:

        async def work(jobs: Iterable[tuple[int, RefundRequest]]) -> None:
            for place, request in jobs:
                answers[place] = await _one(client, request)
                answered()

        await asyncio.gather(*(work(queue) for _ in range(connections)))
    return [answers[place] for place in range(len(requests))]


async def _one(client: httpx.AsyncClient, request: RefundRequest) -> Answer:
    body = asdict(request)
    body["requested_at"] = request.requested_at.isoformat()
    body["order"]["paid_at"] = request.order.paid_at.isoformat()
    start = time.perf_counter()
    response = await client.post("/v1/refund-decisions", json=body)
    seconds = time.perf_counter() - start
    if response.status_code not in (200, 201):
        raise AnswerMissing(f"{request.after_sale_id}: HTTP {response.status_code}, {response.text[:300]}")
    return Answer(request, response.json(), seconds)
