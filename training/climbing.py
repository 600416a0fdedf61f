"""What it takes to gain the quality tier and to lose it: made-up histories through the real kernel and score.

An account that is to be cashed in later buys its tier with cheap orders; how many it needs is its price. A
good buyer who changes plans must not lose the tier by one cancellation. Gained is the tier at the edge where
it is entered, lost below the one where it is left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from decisions.policy import NOTICE, Policy
from decisions.request import BuyerEvidence
from decisions.tiers import Tier, tier_of
from features.batch import feature_table
from features.catalog import CATALOG
from features.compile import Catalog
from features.events import SCHEMA, TIMESTAMP
from models.buyer_score import BuyerScore

START: Final = datetime(2026, 1, 1, 4, tzinfo=UTC)
CHEAP_FEN: Final = 1_000
USUAL_FEN: Final = 9_000
NEAR_CAP_FEN: Final = 28_000
PACE_DAYS: Final = 3.0
LIMIT: Final = 60
"""Steps after which a walk is given up."""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """A history, then one and the same step again and again until the tier changes.

    Attributes
    ----------
    climbs : bool
        Whether it asks for the quality tier to be gained; otherwise lost.
    steps : int or None
        Orders (of which all are kept, or all cancelled) until then; None if `LIMIT` were not enough.
    days, spent_fen : float, int
        How long those took and what was paid for them.
    points_before, points_after : float
        Where it started and where it ended.
    """

    name: str
    words: str
    climbs: bool
    tier_before: Tier
    points_before: float
    steps: int | None
    days: float
    spent_fen: int
    tier_after: Tier
    points_after: float


@dataclass
class _History:
    """A buyer's events, written day by day."""

    buyer: str
    day: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    n_orders: int = 0

    def keep(self, fen: int) -> None:
        """Buy, receive and complete an order."""
        order = self._paid(fen)
        self._event("order_shipped", 1.0, order)
        self._event("order_completed", 2.9, order)
        self.day += PACE_DAYS

    def cancel(self, fen: int, *, found_shipped: bool = False) -> None:
        """Buy and cancel half an hour later."""
        order = self._paid(fen)
        asked = order | {"after_sale_id": f"a-{order['order_id']}", "stage": "before_shipment"}
        self._event("refund_requested", 0.02, asked | {"fault": "buyer", "actor": "buyer"})
        self._event("refund_granted", 0.03, asked | {"fault": "buyer", "actor": "merchant"})
        if found_shipped:
            self._event("refund_found_shipped", 2.0, asked)
        self.day += PACE_DAYS

    def _paid(self, fen: int) -> dict[str, Any]:
        i = self.n_orders = self.n_orders + 1
        order = {
            "order_id": f"{self.buyer}-{i}",
            "shop_id": f"shop{i % 7}",
            "category_id": f"category{i % 4}",
            "goods_type": "physical",
            "amount_fen": fen,
            "line_count": 1,
        }
        self._event("order_placed", 0.0, order)
        self._event("order_paid", 0.001, order)
        return order

    def _event(self, kind: str, after_days: float, columns: dict[str, Any]) -> None:
        at = START + timedelta(days=self.day + after_days)
        given = {"event_id": f"{self.buyer}-e{len(self.rows)}", "buyer_id": self.buyer, "kind": kind}
        self.rows.append(
            dict.fromkeys(SCHEMA.names) | given | columns | {"occurred_at": at, "recorded_at": at}
        )


@dataclass(frozen=True, kw_only=True)
class _Plan:
    name: str
    words: str
    kept: int
    cancelled: int = 0
    found_shipped: int = 0
    climbs: bool
    fen: int


PLANS: Final = (
    _Plan(name="new", words="a new account buys cheaply", kept=0, climbs=True, fen=CHEAP_FEN),
    _Plan(
        name="canceller",
        words="has cancelled 6 of 10 orders, then buys cheaply",
        kept=4,
        cancelled=6,
        climbs=True,
        fen=CHEAP_FEN,
    ),
    _Plan(
        name="racer",
        words="has cancelled 13 of 20, four found shipped, then buys cheaply",
        kept=7,
        cancelled=13,
        found_shipped=4,
        climbs=True,
        fen=CHEAP_FEN,
    ),
    *(
        _Plan(
            name=f"kept_{n}", words=f"has kept {n} orders, then cancels each", kept=n, climbs=False, fen=fen
        )
        for n, fen in ((12, USUAL_FEN), (30, USUAL_FEN), (100, USUAL_FEN))
    ),
    _Plan(
        name="kept_30_near_cap",
        words="has kept 30 orders, then cancels each at 280 yuan",
        kept=30,
        climbs=False,
        fen=NEAR_CAP_FEN,
    ),
)


def walks_of(score: BuyerScore, *, policy: Policy = NOTICE, catalog: Catalog = CATALOG) -> tuple[Walk, ...]:
    """Walk every made-up history until its tier changes, each day's tier knowing that of the step before."""
    histories = [_written(plan) for plan in PLANS]
    rows = [row for history, _ in histories for row in history.rows]
    spine = [(history.buyer, at) for history, ends in histories for at in ends]
    who, when = zip(*spine, strict=True)
    table = feature_table(
        pa.Table.from_pylist(rows, schema=SCHEMA),
        pa.table({"buyer_id": list(who), "as_of": pa.array(when, TIMESTAMP)}),
        catalog=catalog,
    )
    X = pd.DataFrame({name: table[name].to_numpy() for name in catalog.names})
    steps = LIMIT + 1
    return tuple(
        _walk(plan, X.iloc[i * steps : (i + 1) * steps], score=score, policy=policy)
        for i, plan in enumerate(PLANS)
    )


def _written(plan: _Plan) -> tuple[_History, list[datetime]]:
    """Write a plan's events; give the instants before the first step and after each."""
    history = _History(plan.name)
    n = plan.kept + plan.cancelled
    cancelled = np.linspace(0, n - 1, plan.cancelled).astype(int).tolist()
    for i in range(n):
        if i in cancelled:
            history.cancel(USUAL_FEN, found_shipped=i in cancelled[: plan.found_shipped])
        else:
            history.keep(USUAL_FEN)
    ends = [START + timedelta(days=history.day)]
    for _ in range(LIMIT):
        history.keep(plan.fen) if plan.climbs else history.cancel(plan.fen)
        ends.append(START + timedelta(days=history.day))
    return history, ends


def _walk(plan: _Plan, X: pd.DataFrame, *, score: BuyerScore, policy: Policy) -> Walk:
    points = score.points(X)
    tiers: list[Tier] = []
    for i in range(len(X)):
        buyer = _evidence(X.iloc[i], float(points[i]))
        tiers.append(tier_of(buyer, policy, previous=tiers[-1] if tiers else None))
    turned = [i for i, tier in enumerate(tiers) if (tier == "quality") == plan.climbs]
    last = turned[0] if turned else len(X) - 1
    return Walk(
        name=plan.name,
        words=plan.words,
        climbs=plan.climbs,
        tier_before=tiers[0],
        points_before=float(points[0]),
        steps=turned[0] if turned else None,
        days=last * PACE_DAYS,
        spent_fen=last * plan.fen,
        tier_after=tiers[last],
        points_after=float(points[last]),
    )


def _evidence(row: pd.Series, points: float) -> BuyerEvidence:
    tenure = float(row["days_since_first_order_paid"])
    return BuyerEvidence(
        score=points,
        p_abuse=0.0,
        completed_orders=int(row["orders_completed_count_life"]),
        tenure_days=None if np.isnan(tenure) else tenure,
        abuse_confirmed=False,
    )
