"""What the online benchmark asks about: one buyer's history of a given length, and two sizes of model."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

import numpy as np
import pandas as pd

from features.catalog import CATALOG, REASONS
from features.events import SCHEMA
from features.rows import Row
from models import trees
from models.buyer_score import BuyerScore

BUYER: Final = "buyer"
START: Final = datetime(2023, 1, 1, tzinfo=UTC)
ENDS: Final = {
    "kept": (("order_shipped", {}), ("order_completed", {})),
    "cancelled": (
        ("refund_requested", {"stage": "before_shipment", "fault": "buyer"}),
        ("refund_granted", {"stage": "before_shipment", "actor": "auto"}),
    ),
    "returned": (
        ("order_shipped", {}),
        ("refund_requested", {"stage": "after_shipment"}),
        ("dispute_opened", {}),
    ),
    "unpaid": (("order_closed_unpaid", {}),),
}
"""How an order goes on, and how often of a hundred."""
OFTEN: Final = {"kept": 75, "cancelled": 15, "returned": 4, "unpaid": 6}


def history(n_events: int, *, days: int) -> list[Row]:
    """Draw one buyer's events, evenly over the days, as a database gives them."""
    drawn, kinds = Random(n_events), _kinds(Random(days))
    step = timedelta(days=days) / n_events
    rows = []
    for i, (order, kind, said) in zip(range(n_events), kinds, strict=False):
        when, told = START + i * step, Random(order)
        rows.append(
            {
                **dict.fromkeys(SCHEMA.names),
                "event_id": f"event-{i:09}",
                "buyer_id": BUYER,
                "kind": kind,
                "occurred_at": when - timedelta(minutes=drawn.choice((0, 0, 0, 90))),
                "recorded_at": when,
                "order_id": f"order-{order:09}",
                "shop_id": f"shop-{told.randrange(60)}",
                "category_id": f"category-{told.randrange(20)}",
                "amount_fen": told.randrange(500, 60_000),
                "line_count": told.randrange(1, 5),
                **said,
            }
        )
    return rows


def _kinds(drawn: Random) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield order, kind and what else is said, for ever."""
    order = 0
    while True:
        (end,) = drawn.choices(list(OFTEN), list(OFTEN.values()))
        yield order, "order_placed", {}
        if end != "unpaid":
            yield order, "order_paid", {}
        for kind, said in ENDS[end]:
            yield order, kind, said
        order += 1


def score(n_trees: int, *, num_leaves: int) -> BuyerScore:
    """Fit a score to made-up rows of the catalog's columns, then give it exactly so many trees."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.poisson(2.0, (4_000, CATALOG.n_features)) * 1.0, columns=list(CATALOG.names))
    rows = rows.mask(random.random(rows.shape) < 0.05)
    used = rows.iloc[:, ::5].fillna(0).to_numpy()
    risk = used @ random.normal(0, 0.3, used.shape[1])
    abuser = (random.random(len(rows)) < 1 / (1 + np.exp(2 + np.median(risk) - risk))).astype(int)
    made = BuyerScore(
        monotone=dict(zip(CATALOG.names, CATALOG.monotone, strict=True)),
        reason_codes=dict(zip(CATALOG.names, CATALOG.reason_codes, strict=True)),
        reason_texts={code: {"zh": text.zh, "en": text.en} for code, text in REASONS.items()},
        catalog_version=CATALOG.version,
        max_trees=20,
        n_folds=2,
    ).fit(rows, abuser)
    params = dict(trees.FIXED) | {
        "monotone_constraints": list(CATALOG.monotone),
        "num_leaves": num_leaves,
        "min_data_in_leaf": 5,
        "num_threads": 1,
        "seed": 0,
    }
    data = trees.dataset(rows.to_numpy(), abuser.astype(np.float64), params=params)
    made.booster_ = trees.grow(data, params=params, n_trees=n_trees, names=list(CATALOG.names))
    made.n_trees_ = n_trees
    return made
