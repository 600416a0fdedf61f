"""A small market's log, a score, and hand-made events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from features.catalog import CATALOG
from features.events import SCHEMA
from models.buyer_score import BuyerScore
from models.registry import LoadedModel

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def small_score() -> BuyerScore:
    """A score fitted on made-up rows: cancellations make the abuser."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        random.poisson(1.0, (2000, CATALOG.n_features)).astype(float), columns=list(CATALOG.names)
    )
    chance = 1 / (1 + np.exp(7 - 1.2 * rows["cancellations_count_30d"]))
    return BuyerScore(max_trees=30).fit(rows, (random.random(2000) < chance).astype(int))


def small_model() -> LoadedModel:
    return LoadedModel(small_score(), "buyer-score", "7", "run", CATALOG.version)


def event(event_id: str, kind: str, at: datetime, **columns: Any) -> dict[str, Any]:
    """An event of buyer b on order o1, known when it happens."""
    return {
        "event_id": event_id,
        "buyer_id": "b",
        "kind": kind,
        "occurred_at": at,
        "recorded_at": at,
        "order_id": "o1",
        "shop_id": "s",
        "category_id": "c",
        "goods_type": "physical",
        "amount_fen": 10_000,
    } | columns


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(SCHEMA.names) | row for row in rows], schema=SCHEMA)


def case(
    number: int, *answers: tuple[str, dict[str, Any]], left: timedelta | None = None
) -> list[dict[str, Any]]:
    """An order of its own buyer, asked back before shipment a day after the payment, then what follows.

    ``left``: how long after the request the parcel left (its number is entered two days later).
    """
    asked = START + number * HOUR + DAY
    own = {"buyer_id": f"b{number}", "order_id": f"o{number}"}
    of_case = own | {"after_sale_id": f"a{number}", "stage": "before_shipment"}
    rows = [
        event(f"{number}-paid", "order_paid", asked - DAY, **own),
        event(f"{number}-asked", "refund_requested", asked, **of_case),
    ]
    for n, (kind, columns) in enumerate(answers, 1):
        rows.append(event(f"{number}-{n}", kind, asked + n * HOUR, **(of_case | columns)))
    if left is not None:
        shipped = own | {"recorded_at": asked + left + 2 * DAY}
        rows.append(event(f"{number}-left", "order_shipped", asked + left, **shipped))
    return rows


END = [event("end", "order_placed", START + 60 * DAY, buyer_id="z", order_id="z")]
"""So that the log goes on long enough."""
