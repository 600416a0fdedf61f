"""Workers in processes of their own, and clients that ask them."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from serving.run import work
from serving.settings import Settings
from serving.workers import Worker, port_for_all
from tests.serving.scenes import FakeModels, request

DECISIONS = "/v1/refund-decisions"
SLACK = 2.0
"""What a busy machine may add; the product's own times are without it."""


class Named(FakeModels):
    """The champion is whichever version a file names."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    def champion_version(self) -> str | None:
        return self.file.read_text()


@contextmanager
def process_of(settings: Settings, url: str, worker: Worker, champion: Path) -> Iterator[str]:
    """Run one worker, on a port of its own, so that a test says which of them it asks."""
    with port_for_all("127.0.0.1", 0) as held:
        own = settings.model_copy(update={"port": held.getsockname()[1]})
        target = partial(work, own, url, models=Named(champion))
        process = multiprocessing.get_context("spawn").Process(target=target, args=(worker,))
        process.start()
        try:
            yield f"http://127.0.0.1:{own.port}"
        finally:
            process.terminate()
            process.join(60)
            assert process.exitcode == 0


def until_answered(address: str) -> httpx.Response:
    for _ in range(1200):
        try:
            return httpx.get(address, timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
    raise TimeoutError(address)


async def sent(addresses: list[str], headers: dict[str, str], bodies: list[Any]) -> list[httpx.Response]:
    """Send every body to every process at once."""
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(headers=headers, timeout=60, limits=limits) as client:
        return await asyncio.gather(
            *(client.post(address + DECISIONS, json=body) for body in bodies for address in addresses)
        )


class Asking:
    """One client at each worker that asks without a pause, and what it was answered and when."""

    def __init__(self, addresses: list[str], headers: dict[str, str], name: str) -> None:
        self.addresses, self.headers, self.name = addresses, headers, name
        self.answers: list[list[tuple[float, float, httpx.Response]]] = [[] for _ in addresses]

    async def __aenter__(self) -> Asking:
        self.stopping = asyncio.Event()
        self.tasks = [asyncio.create_task(self._ask(n)) for n in range(len(self.addresses))]
        async with asyncio.timeout(20):
            while not all(len(one) >= 5 for one in self.answers):
                await asyncio.sleep(0.02)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        await asyncio.gather(*self.tasks)

    async def _ask(self, n: int) -> None:
        async with httpx.AsyncClient(headers=self.headers, timeout=30) as client:
            while not self.stopping.is_set():
                case = f"{self.name}-{n}-{len(self.answers[n])}"
                body = request(after_sale_id=case, order_id=f"O-{case}", requested_at=None)
                asked = time.monotonic()
                answer = await client.post(self.addresses[n] + DECISIONS, json=body)
                self.answers[n].append((asked, time.monotonic(), answer))

    def told(self, n: int, *, since: float, until: float = float("inf")) -> list[httpx.Response]:
        """What a worker answered to requests sent within a time."""
        return [answer for asked, _, answer in self.answers[n] if since <= asked < until]


async def followed(addresses: list[str], policy: str, *, within: float) -> None:
    """Wait until both workers' readiness, which follows by a notification, names a policy."""
    begun = time.monotonic()
    for address in addresses:
        while not str((await asyncio.to_thread(ready, address))["policy_version"]).endswith(policy):
            assert time.monotonic() < begun + within + SLACK, f"{address} does not follow"
            await asyncio.sleep(0.05)


def ready(address: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{address}/readyz", timeout=10).json()
    return found


def told(address: str) -> dict[str, float]:
    """All samples by name and labels."""
    lines = httpx.get(f"{address}/metrics").text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}
