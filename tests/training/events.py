"""Build small event logs by hand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from features.events import SCHEMA

T = datetime(2026, 3, 1, tzinfo=UTC)


def day(n: float) -> datetime:
    """Give the instant `n` days after T."""
    return T + timedelta(days=n)


def event(kind: str, buyer: str, at: float, *, known: float | None = None, **columns: Any) -> dict[str, Any]:
    """Make an event `at` days after T, known then or `known` days after T."""
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    when = {"occurred_at": day(at), "recorded_at": day(at if known is None else known)}
    return row | {"kind": kind, "buyer_id": buyer} | when | columns


def table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    """Number the events and make the contract's table."""
    numbered = [row | {"event_id": f"e{i}"} for i, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, schema=SCHEMA)


def order(buyer: str, at: float, name: str, **columns: Any) -> list[dict[str, Any]]:
    """Make an order placed and paid at once."""
    given = {"order_id": name, "shop_id": "s1", "amount_fen": 5000} | columns
    return [event(kind, buyer, at, **given) for kind in ("order_placed", "order_paid")]


def cancelled(buyer: str, at: float, name: str, **columns: Any) -> list[dict[str, Any]]:
    """Make a refund before shipment, requested and granted at once."""
    given = {"order_id": name, "after_sale_id": f"a-{name}", "shop_id": "s1", "amount_fen": 5000}
    given |= {"stage": "before_shipment", "fault": "buyer"} | columns
    return [event(kind, buyer, at, **given) for kind in ("refund_requested", "refund_granted")]


def market(*, n_buyers: int = 150, n_days: int = 400, seed: int = 0, abusers: bool = True) -> pa.Table:
    """Draw a little market of `n_days` from T on, in which every tenth buyer cancels nearly everything."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for b in range(n_buyers):
        buyer, abuser = f"b{b}", abusers and b % 10 == 0
        n_orders = rng.poisson(n_days / (8 if abuser else 20))
        for i, at in enumerate(np.sort(rng.uniform(0, n_days - 1, n_orders))):
            name = f"{buyer}-{i}"
            rows += order(buyer, float(at), name, line_count=int(rng.integers(1, 9)))
            if rng.random() < (0.85 if abuser else 0.04):
                rows += cancelled(buyer, float(at) + 0.1, name)
    return table(rows)
