"""A month as the service lived it: what had become known by a request's instant comes in before it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import RefundRequest
from features.events import TIMESTAMP

SEEN: Final = ("buyer_id", "order_id", "link_value", "kind")
VERDICTS: Final = ("abuse_confirmed", "abuse_cleared")


@dataclass(frozen=True, slots=True)
class Step:
    """Events to bring in, by `recorded_at`, and requests to ask after them, a few at once."""

    events: pa.Table
    requests: Sequence[RefundRequest]


@dataclass(slots=True)
class _Since:
    """Whom and what the events speak of that were recorded since a step began."""

    buyers: set[str] = field(default_factory=set)
    orders: set[str | None] = field(default_factory=set)
    links: set[str | None] = field(default_factory=set)
    verdict: bool = False


def steps(log: pa.Table, requests: Sequence[RefundRequest], *, since: datetime) -> Iterator[Step]:
    """Put what was recorded from an instant on, and the requests, into the order of their times.

    A request is asked when exactly the events recorded before it are there, as far as they concern it: its
    buyer, its order, the buyer's links, and any verdict on abuse, which may be of a linked account. So
    requests between which nothing of the kind happened share a step.
    """
    events = recorded(log, since, None).sort_by("recorded_at")
    at = events["recorded_at"].to_pylist()
    rows = list(zip(*(events[name].to_pylist() for name in SEEN), strict=True))
    links, known = _links(log), _Since()
    begun = come = seen = 0
    waiting: list[RefundRequest] = []
    for request in sorted(requests, key=lambda one: one.requested_at):
        due = bisect_left(at, request.requested_at)
        for row in rows[seen:due]:
            _tell(known, *row)
        seen = due
        if waiting and _concerns(known, request, links[request.buyer_id]):
            yield Step(events.slice(come, begun - come), waiting)
            come, waiting = begun, []
        if not waiting:
            begun, known = due, _Since()
        waiting.append(request)
    yield Step(events.slice(come, begun - come), waiting)
    yield Step(events.slice(begun), [])


def recorded(log: pa.Table, since: datetime, until: datetime | None) -> pa.Table:
    """Give what was recorded in ``[since, until)``, in the order of the log."""
    at = log["recorded_at"]
    known = pc.greater_equal(at, pa.scalar(since, TIMESTAMP))
    if until is not None:
        known = pc.and_(known, pc.less(at, pa.scalar(until, TIMESTAMP)))
    return log.filter(known)


def _links(log: pa.Table) -> defaultdict[str, set[str]]:
    """Give all links that each buyer ever has."""
    linked = log.filter(pc.is_valid(log["link_value"]))
    found: defaultdict[str, set[str]] = defaultdict(set)
    for buyer_id, value in zip(linked["buyer_id"].to_pylist(), linked["link_value"].to_pylist(), strict=True):
        found[buyer_id].add(value)
    return found


def _tell(known: _Since, buyer_id: str, order_id: str | None, link: str | None, kind: str) -> None:
    known.buyers.add(buyer_id)
    known.orders.add(order_id)
    known.links.add(link)
    known.verdict |= kind in VERDICTS


def _concerns(known: _Since, request: RefundRequest, links: set[str]) -> bool:
    return (
        known.verdict
        or request.buyer_id in known.buyers
        or request.order.order_id in known.orders
        or not links.isdisjoint(known.links)
    )
