"""The load: keep-alive connections that each send a request as soon as the last is answered.

A process of its own (``python -m benchmarks.serving_load``): the plan comes as JSON on standard input, the
result goes as JSON to standard output. It speaks just enough HTTP/1.1 to read an answer's status and length,
so that it takes a few microseconds of its core for each request.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import uvloop

WARM_UP_SECONDS: Final = 0.4
JSON: Final = "Content-Type: application/json\r\n"


@dataclass
class Run:
    """One measurement."""

    requests: Iterator[bytes]
    until: float
    counted_from: float
    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0
    sample: bytes = b""


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, run: Run, done: Callable[[], None]) -> None:
        self.run, self.done, self.buffer, self.sent = run, done, b"", 0.0

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self.transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        """Wait for the whole answer."""
        self.buffer = self.buffer + data if self.buffer else data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.find(b"ontent-", 0, head)
        while at >= 0 and self.buffer[at + 7 : at + 13].lower() != b"length":
            at = self.buffer.find(b"ontent-", at + 1, head)
        length = int(self.buffer[at + 14 : self.buffer.index(b"\r", at)])
        if len(self.buffer) < head + 4 + length:
            return
        self._answered()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count an answer that never came."""
        if self.sent:
            self.run.lost += 1
        self.done()

    def _answered(self) -> None:
        now, run = time.perf_counter(), self.run
        if now >= run.counted_from:
            run.took.append(now - self.sent)
            run.statuses[int(self.buffer[9:12])] += 1
            run.sample = self.buffer
        self.buffer, self.sent = b"", 0.0
        if now < run.until:
            self._send()
        else:
            self.transport.close()

    def _send(self) -> None:
        request = next(self.run.requests, None)
        if request is None:
            self.transport.close()
            return
        self.sent = time.perf_counter()
        self.transport.write(request)


def decisions(plan: dict[str, Any]) -> Iterator[bytes]:
    """Ask for refunds of real orders; each is a new after-sale, dated by the service."""
    orders, draw = read(plan["data"])["orders"], random.Random(plan["seed"])
    draw.shuffle(orders)
    top = f"POST {plan['path']} HTTP/1.1\r\n{head(plan)}{JSON}Content-Length: "
    for n in range(sys.maxsize):
        buyer, order, shop, category, goods, fen, paid_at = orders[n % len(orders)]
        body = (
            f'{{"after_sale_id":"{plan["seed"]}-{n}","buyer_id":"{buyer}","refund_type":"refund_only",'
            f'"refund_amount_fen":{fen},"reason":"changed my mind","order":{{"order_id":"{order}",'
            f'"shop_id":"{shop}","category_id":"{category}","goods_type":"{goods}","paid_amount_fen":{fen},'
            f'"paid_at":"{paid_at}","shipping_status":"unshipped"}}}}'
        )
        yield f"{top}{len(body)}\r\n\r\n{body}".encode()


def scores(plan: dict[str, Any]) -> Iterator[bytes]:
    """Look up buyers' scores."""
    buyers, draw = read(plan["data"])["buyers"], random.Random(plan["seed"])
    while True:
        path = plan["path"].replace("BUYER", quote(draw.choice(buyers), safe=""))
        yield f"GET {path} HTTP/1.1\r\n{head(plan)}\r\n".encode()


def rows(plan: dict[str, Any]) -> Iterator[bytes]:
    """Send ready-made features, in the form that the plan gives."""
    bodies = [body.encode() for body in read(plan["data"])[plan["form"]]]
    media = "text/csv" if plan["form"] == "csv" else "application/json"
    top = f"POST {plan['path']} HTTP/1.1\r\n{head(plan)}Content-Type: {media}\r\nContent-Length: ".encode()
    while True:
        for body in bodies:
            yield b"%b%d\r\n\r\n%b" % (top, len(body), body)


def events(plan: dict[str, Any]) -> Iterator[bytes]:
    """Send batches of a thousand new events: orders placed and paid by known buyers, in any order."""
    data, draw = read(plan["data"]), random.Random(plan["seed"])
    now = time.time()
    top = f"POST {plan['path']} HTTP/1.1\r\n{head(plan)}{JSON}Content-Length: "
    made = (event_batch(data["orders"], draw, f"{plan['seed']}-{n}", now) for n in range(plan["batches"]))
    yield from (f"{top}{len(body)}\r\n\r\n{body}".encode() for body in made)


def event_batch(orders: list[list[Any]], draw: random.Random, name: str, now: float) -> str:
    parts = []
    for n in range(1000):
        buyer, _, shop, category, goods, fen, _ = draw.choice(orders)
        kind = "order_paid" if n % 2 else "order_placed"
        recorded = now - draw.random() * 3600
        stamps = [
            time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{n:06}Z"
            for at in (recorded - 5, recorded)
        ]
        parts.append(
            f'{{"event_id":"{name}-{n}","buyer_id":"{buyer}","kind":"{kind}","occurred_at":"{stamps[0]}",'
            f'"recorded_at":"{stamps[1]}","order_id":"{name}-{n // 2}","shop_id":"{shop}",'
            f'"category_id":"{category}","goods_type":"{goods}","amount_fen":{fen}}}'
        )
    return '{"events":[' + ",".join(parts) + "]}"


KINDS: Final = {"decisions": decisions, "scores": scores, "rows": rows, "events": events}


def head(plan: dict[str, Any]) -> str:
    return f"Host: 127.0.0.1\r\nAuthorization: Bearer {plan['key']}\r\n"


def read(path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(path).read_bytes())
    return found


async def measure(plan: dict[str, Any]) -> dict[str, Any]:
    loop, ended, left = asyncio.get_running_loop(), asyncio.Event(), plan["connections"]
    stream = KINDS[plan["kind"]](plan)
    # what takes long is done before the clock starts: to read the orders, or to write batches of events
    stream = iter(list(stream)) if plan["kind"] == "events" else chain([next(stream)], stream)
    began = time.perf_counter()
    run = Run(stream, began + WARM_UP_SECONDS + plan["seconds"], began + WARM_UP_SECONDS)

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            ended.set()

    before = processor_seconds()
    for _ in range(plan["connections"]):
        await loop.create_connection(lambda: Client(run, done), "127.0.0.1", plan["port"])
    await ended.wait()
    ends, took = time.perf_counter(), sorted(run.took)
    return {
        "answers": len(took),
        "seconds": ends - run.counted_from,
        "statuses": dict(run.statuses),
        "lost": run.lost,
        "p50_ms": took[len(took) // 2] * 1e3,
        "p99_ms": took[len(took) * 99 // 100] * 1e3,
        "client_busy": (processor_seconds() - before) / (ends - began),
        "sample": run.sample.decode("utf-8", "replace"),
    }


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    json.dump(uvloop.run(measure(json.load(sys.stdin))), sys.stdout)
