"""Buyers, requests and a model whose verdicts can be read off the history."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from features.catalog import CATALOG
from features.events import SCHEMA
from models.assessment import Assessment
from models.reasons import Reason
from models.registry import LoadedModel

ASKED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW = ASKED_AT + timedelta(seconds=1)
GOOD_POINTS = 800.0
BASE: dict[str, Any] = {
    "after_sale_id": "AS-1",
    "buyer_id": "good",
    "refund_type": "refund_only",
    "refund_amount_fen": 12900,
    "requested_at": "2026-03-01T12:00:00Z",
    "reason": "changed my mind",
    "order": {
        "order_id": "O-now",
        "shop_id": "S-1",
        "category_id": "C-1",
        "goods_type": "physical",
        "paid_amount_fen": 12900,
        "paid_at": "2026-03-01T10:00:00Z",
        "shipping_status": "unshipped",
    },
}


def request(**changes: Any) -> dict[str, Any]:
    """The base request with some fields changed; those of the order by their own name."""
    body = copy.deepcopy(BASE)
    for name, value in changes.items():
        (body["order"] if name in body["order"] else body)[name] = value
    return body


def paying(fen: int, **changes: Any) -> dict[str, Any]:
    return request(paid_amount_fen=fen, refund_amount_fen=fen, **changes)


def event(event_id: str, buyer_id: str, kind: str, at: datetime, **columns: Any) -> dict[str, Any]:
    return {
        "event_id": event_id,
        "buyer_id": buyer_id,
        "kind": kind,
        "occurred_at": at,
        "recorded_at": at,
    } | columns


def good_history(buyer_id: str = "good", *, orders: int = 4) -> list[dict[str, Any]]:
    """Orders paid and completed, one in ten days, the first a hundred days before the request."""
    rows = []
    for n in range(orders):
        paid = ASKED_AT - timedelta(days=100 - 10 * n)
        order = {"order_id": f"{buyer_id}-O{n}", "shop_id": "S-1", "amount_fen": 5000}
        rows.append(event(f"{buyer_id}-p{n}", buyer_id, "order_paid", paid, **order))
        rows.append(event(f"{buyer_id}-c{n}", buyer_id, "order_completed", paid + timedelta(days=5), **order))
    return rows


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(SCHEMA.names) | row for row in rows], schema=SCHEMA)


def as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in row.items()}


class FakeScore:
    """800 points, 100 fewer for every cancellation."""

    def assess(self, vector: np.ndarray) -> Assessment:
        cancelled = float(vector[CATALOG.index["cancellations_count_life"]])
        return Assessment(
            margin=cancelled, p_abuse=0.01 + cancelled / 100, points=GOOD_POINTS - 100 * cancelled
        )

    def assess_all(self, vectors: np.ndarray) -> list[Assessment]:
        return [self.assess(vector) for vector in vectors]

    def explain(self, vector: np.ndarray, *, limit: int | None = 3) -> list[Reason]:
        return [Reason("cancellation", {"zh": "取消", "en": "cancellations"}, self.assess(vector).margin)]


class FakeModels:
    """A registry in memory; ``version`` is the champion."""

    def __init__(
        self,
        version: str | None = "7",
        *,
        catalog_version: str = CATALOG.version,
        guaranteed_cut_off: float | None = None,
    ) -> None:
        self.version, self.catalog_version = version, catalog_version
        self.guaranteed_cut_off = guaranteed_cut_off
        self.challenger: str | None = None

    def champion_version(self) -> str | None:
        return self.version

    def challenger_version(self) -> str | None:
        return self.challenger

    def load(self, version: str) -> LoadedModel:
        return LoadedModel(
            FakeScore(),  # type: ignore[arg-type]
            "buyer-score",
            version,
            "run",
            self.catalog_version,
            guaranteed_cut_off=self.guaranteed_cut_off,
            registered_at=1_700_000_000.0,
        )
