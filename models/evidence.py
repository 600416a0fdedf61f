"""What a decision may know: a buyer's history and the score, turned into the evidence that rules judge.

The service and a replay both come through here, so both see the same buyer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import BuyerEvidence, OrderEvidence
from features.catalog import CATALOG
from features.compile import Catalog
from features.events import TIMESTAMP
from features.online import buyer_vector

from .buyer_score import BuyerScore


@dataclass(frozen=True, kw_only=True)
class BuyerAssessment:
    """One buyer at one instant: the vector that was scored and what follows from it."""

    buyer_id: str
    as_of: datetime
    vector: npt.NDArray[np.float64]
    evidence: BuyerEvidence


def assess_buyer(
    events: pa.Table,
    *,
    buyer_id: str,
    as_of: datetime,
    score: BuyerScore,
    catalog: Catalog = CATALOG,
) -> BuyerAssessment:
    """Compute the vector from what was known before ``as_of`` and score it.

    Parameters
    ----------
    events : pa.Table
        As `features.online.buyer_vector` takes them.
    score : BuyerScore
        Trained on the same catalog.
    """
    vector = buyer_vector(events, buyer_id=buyer_id, as_of=as_of, catalog=catalog)
    return BuyerAssessment(
        buyer_id=buyer_id,
        as_of=as_of,
        vector=vector,
        evidence=buyer_evidence(vector, score=score, catalog=catalog),
    )


def buyer_evidence(
    vector: npt.NDArray[np.float64], *, score: BuyerScore, catalog: Catalog = CATALOG
) -> BuyerEvidence:
    """Score a vector and read the facts that tier and standing rest on from it."""
    assessed = score.assess(vector)
    tenure = float(vector[catalog.index["days_since_first_order_paid"]])
    return BuyerEvidence(
        score=assessed.points,
        p_abuse=assessed.p_abuse,
        completed_orders=int(vector[catalog.index["orders_completed_count_life"]]),
        tenure_days=None if np.isnan(tenure) else tenure,
        abuse_confirmed=bool(vector[catalog.index["abuse_standing_distinct_life"]]),
    )


def order_evidence(events: pa.Table, *, buyer_id: str, order_id: str, as_of: datetime) -> OrderEvidence:
    """Read what the log knew of one order before ``as_of``."""
    known = events.filter(
        pc.and_(
            pc.and_(pc.equal(events["buyer_id"], buyer_id), pc.equal(events["order_id"], order_id)),
            pc.less(events["recorded_at"], pa.scalar(as_of, TIMESTAMP)),
        )
    )
    amounts = known.select(["kind", "amount_fen"]).to_pylist()
    paid = [row["amount_fen"] for row in amounts if row["kind"] == "order_paid"]
    granted = [row["amount_fen"] or 0 for row in amounts if row["kind"] == "refund_granted"]
    return OrderEvidence(
        shipped=any(row["kind"] == "order_shipped" for row in amounts),
        refunded_fen=sum(granted),
        paid_amount_fen=paid[0] if paid else None,
    )
