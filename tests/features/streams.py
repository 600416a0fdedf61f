"""Hypothesis streams of events that sit on every edge: ties, window ends, late records, shared links."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from features.events import (
    ACTORS,
    FAULTS,
    GOODS_TYPES,
    KINDS,
    LINK_TYPES,
    ORDER_KINDS,
    REFUND_KINDS,
    SCHEMA,
    STAGES,
)

BASE = datetime(2025, 6, 1, tzinfo=UTC)
BUYERS = ("ann", "bob", "cyd")
DAYS = (0, 1, 7, 30, 90, 180, 365)
INSTANTS = [
    BASE + timedelta(days=d, microseconds=us, minutes=m)
    for d in DAYS
    for us in (-1, 0, 1)
    for m in (0, 10, 60)
]
DELAYS = (timedelta(0), timedelta(microseconds=1), timedelta(days=7), timedelta(days=100))


def maybe(values: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.none() | st.sampled_from(values)


@st.composite
def event(draw: st.DrawFn) -> dict[str, Any]:
    occurred_at = draw(st.sampled_from(INSTANTS))
    kind = draw(
        st.sampled_from(KINDS) | st.sampled_from(("order_paid", "refund_requested", "identity_linked"))
    )
    return {
        "buyer_id": draw(st.sampled_from(BUYERS)),
        "kind": kind,
        "occurred_at": occurred_at,
        "recorded_at": occurred_at + draw(st.sampled_from(DELAYS)),
        "order_id": draw(maybe(("o1", "o2", "o3"))),
        "shop_id": draw(maybe(("s1", "s2"))),
        "category_id": draw(maybe(("c1", "c2"))),
        "goods_type": draw(maybe(GOODS_TYPES)),
        "amount_fen": draw(st.none() | st.sampled_from((0, 1, 26_999, 27_000, 29_999, 30_000))),
        "stage": draw(maybe(STAGES)),
        "fault": draw(maybe(FAULTS)),
        "outcome": draw(maybe(("buyer", "merchant", "other"))),
        "actor": draw(maybe(ACTORS)),
        "link_type": draw(st.sampled_from(LINK_TYPES) if kind == "identity_linked" else maybe(LINK_TYPES)),
        "link_value": draw(st.sampled_from(("x", "y"))),
        "line_count": draw(st.none() | st.integers(1, 3)),
    }


@st.composite
def stream(draw: st.DrawFn) -> list[dict[str, Any]]:
    events = draw(st.lists(event(), max_size=25))
    ids = draw(st.permutations([f"e{i}" for i in range(len(events))]))
    return [{"event_id": event_id, **e} for event_id, e in zip(ids, events, strict=True)]


def dense_stream(seed: int, *, size: int = 60) -> list[dict[str, Any]]:
    """Give a few buyers many events of few kinds, so that the same shops, orders and links meet often."""
    pick = Random(seed).choice
    usual = ("order_paid", "order_paid", "order_completed", "refund_requested", "refund_requested")
    events = []
    for i in range(size):
        occurred_at, kind = pick(INSTANTS), pick(usual) if i % 3 else pick(KINDS)
        events.append(
            {
                "event_id": f"e{i}",
                "buyer_id": pick(BUYERS),
                "kind": kind,
                "occurred_at": occurred_at,
                "recorded_at": occurred_at + pick((*[timedelta(0)] * 6, *DELAYS)),
                "order_id": pick(("o1", "o2", "o3", "o4", "o5", None)),
                "shop_id": pick(("s1", "s2", "s3", None)),
                "category_id": pick(("c1", "c2", None)),
                "goods_type": None,
                "amount_fen": pick((None, 1, 26_999, 27_000, 29_999, 30_000)),
                "stage": pick(("before_shipment", "before_shipment", "after_shipment", None)),
                "fault": pick((None, None, None, "buyer", "shop")),
                "outcome": pick(("buyer", "merchant", None)),
                "actor": pick(("auto", None)),
                "link_type": pick(LINK_TYPES),
                "link_value": pick(("x", "y")),
                "line_count": pick((None, 1, 4)),
            }
        )
    return events


def sound(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give orders and refunds an order and closed disputes an outcome, as a log on disk must have."""
    for e in events:
        if e["kind"] in ORDER_KINDS + REFUND_KINDS:
            e["order_id"] = e["order_id"] or "o1"
        if e["kind"] == "dispute_closed":
            e["outcome"] = e["outcome"] or "buyer"
    return events


def instants_to_ask(events: list[dict[str, Any]]) -> st.SearchStrategy[datetime]:
    known = [e["recorded_at"] for e in events] or [BASE]
    edges = [t + timedelta(days=d, microseconds=us) for t in known for d in DAYS for us in (-1, 0, 1)]
    return st.sampled_from(edges)


def table(events: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(events, schema=SCHEMA)
