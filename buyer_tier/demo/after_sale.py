"""An after-sale system: tells the service of events, sends it refund requests and keeps the answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx
import pyarrow as pa

from decisions.request import RefundRequest

EVENTS_AT_ONCE: Final = 1_000


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


class AfterSale:
    """A client of the service, a few connections wide.

    Raises
    ------
    AnswerMissing
        From every call: the service answered something else than was asked for; says what.
    """

    def __init__(self, client: httpx.AsyncClient, *, connections: int = 4) -> None:
        self._client, self._connections = client, connections

    async def ask(
        self, requests: Sequence[RefundRequest], *, answered: Callable[[], None] = lambda: None
    ) -> list[Answer]:
        """Send every request, a few at a time, and return the answers in the order of the requests."""
        queue = iter(enumerate(requests))
        answers: dict[int, Answer] = {}

        async def work(jobs: Iterable[tuple[int, RefundRequest]]) -> None:
            for place, request in jobs:
                answers[place] = await _one(self._client, request)
                answered()

        await asyncio.gather(*(work(queue) for _ in range(min(self._connections, len(requests)))))
        return [answers[place] for place in range(len(requests))]

    async def tell(self, events: pa.Table) -> None:
        """Bring events into the service's log."""
        for start in range(0, len(events), EVENTS_AT_ONCE):
            rows = events.slice(start, EVENTS_AT_ONCE).to_pylist()
            for row in rows:
                row |= {name: row[name].isoformat() for name in ("occurred_at", "recorded_at")}
            response = await self._client.post("/v1/events", json={"events": rows})
            fates = response.json()["results"] if response.is_success else []
            if {fate["status"] for fate in fates} != {"accepted"}:
                raise AnswerMissing(f"events: HTTP {response.status_code}, {response.text[:300]}")


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
