"""What is asked in the demonstration is asked when exactly what had been recorded before it is there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest

from backtest.marketplace import MarketConfig, simulate
from backtest.requests import refund_requests
from buyer_tier.demo.month import VERDICTS, steps
from decisions.request import RefundRequest
from serving.api.schemas import RefundDecisionIn
from tests.serving.scenes import ASKED_AT, event, request, table

HOUR = timedelta(hours=1)


def asked(buyer_id: str, hours: float) -> RefundRequest:
    at = ASKED_AT + hours * HOUR
    body = request(after_sale_id=f"AS-{buyer_id}-{hours}", buyer_id=buyer_id, order_id=f"O-{buyer_id}")
    return RefundDecisionIn.model_validate(body | {"requested_at": at.isoformat()}).request(at)


def told(buyer_id: str, hours: float, kind: str = "order_placed", **columns: Any) -> dict[str, Any]:
    named = {"order_id": "else"} if kind.startswith("order") else {}
    at = ASKED_AT + hours * HOUR
    return event(f"{buyer_id}-{kind}-{hours}", buyer_id, kind, at, **named | columns)


def shape(events: list[dict[str, Any]], requests: list[RefundRequest]) -> list[tuple[int, int]]:
    """How many events come in and how many requests are asked after them, step by step."""
    found = steps(table(events), requests, since=ASKED_AT)
    return [(len(one.events), len(one.requests)) for one in found]


LINK = {"link_type": "device", "link_value": "d"}


@pytest.mark.parametrize(
    ("events", "found"),
    [
        pytest.param([told("c", 1.5)], [(0, 2), (1, 0)], id="an event of somebody else"),
        pytest.param([told("b", 1.5)], [(0, 1), (1, 1), (0, 0)], id="an event of the buyer"),
        pytest.param([told("b", 1.0)], [(0, 1), (1, 1), (0, 0)], id="as the one before is asked"),
        pytest.param([told("b", 0.5)], [(1, 2), (0, 0)], id="before both"),
        pytest.param([told("b", 2.0)], [(0, 2), (1, 0)], id="as it is asked"),
        pytest.param([told("c", 1.5, order_id="O-b")], [(0, 1), (1, 1), (0, 0)], id="of its order"),
        pytest.param(
            [told("c", 1.5, "abuse_confirmed")], [(0, 1), (1, 1), (0, 0)], id="a verdict on anybody"
        ),
        pytest.param(
            [told("b", -9, "identity_linked", **LINK), told("c", 1.5, "identity_linked", **LINK)],
            [(0, 1), (1, 1), (0, 0)],
            id="a new account on a link of the buyer",
        ),
        pytest.param(
            [told("d", -9, "identity_linked", **LINK), told("c", 1.5, "identity_linked", **LINK)],
            [(0, 2), (1, 0)],
            id="a new account on another link",
        ),
    ],
)
def test_requests_share_a_step_unless_something_that_concerns_the_later_was_recorded_between(
    events: list[dict[str, Any]], found: list[tuple[int, int]]
) -> None:
    assert shape(events, [asked("b", 2.0), asked("a", 1.0)]) == found


def test_a_month_without_requests_is_brought_in_whole() -> None:
    assert sum(n for n, _ in shape([told("a", -1), told("a", 1)], [])) == 1


def test_in_a_simulated_market_nothing_is_known_too_early_or_too_late() -> None:
    config = MarketConfig(buyers=500, days=200, abuse_rate=0.05, seed=3)
    log = simulate(config).events
    since = config.end - timedelta(days=60)
    requests = refund_requests(log, since=since, until=config.end).items
    links: dict[str, set[str]] = {}
    for one in log.select(["buyer_id", "link_value"]).to_pylist():
        links.setdefault(one["buyer_id"], set()).update([one["link_value"]] if one["link_value"] else [])
    rows = [row for row in log.to_pylist() if row["recorded_at"] >= since]
    found, there, shared = list(steps(log, requests, since=since)), set[str](), 0
    for step in found:
        assert pa.compute.max(step.events["recorded_at"]).as_py() is None or all(
            pa.compute.max(step.events["recorded_at"]).as_py() < one.requested_at for one in step.requests
        )
        there |= set(step.events["event_id"].to_pylist())
        shared += len(step.requests) > 1
        for one in step.requests:
            missing = [
                row
                for row in rows
                if row["recorded_at"] < one.requested_at
                and row["event_id"] not in there
                and (
                    row["buyer_id"] == one.buyer_id
                    or row["order_id"] == one.order.order_id
                    or row["link_value"] in links[one.buyer_id]
                    or row["kind"] in VERDICTS
                )
            ]
            assert missing == []
    assert len(there) == len(rows)
    assert sum(len(step.requests) for step in found) == len(requests) > 30
    assert shared > 5
