"""What a decision may know: a buyer's history and the score, turned into the evidence that rules judge.

The service and a replay both come through here, so both see the same buyer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt

from decisions.request import BuyerEvidence, OrderEvidence
from decisions.value import value
from features.catalog import CATALOG
from features.compile import Catalog
from features.online import rows_vector
from features.rows import Row, in_order, microseconds

from .assessment import Assessment
from .buyer_score import BuyerScore

COMPLETED, TENURE, ABUSE = (
    "orders_completed_count_life",
    "days_since_first_order_paid",
    "abuse_standing_distinct_life",
)
"""The features that tier and standing rest on beside the score."""


class Columns(Protocol):
    """Where a vector has which feature: a catalog, or what is remembered of an older one."""

    @property
    def index(self) -> Mapping[str, int]:
        """Give each feature's place by its name."""


@value()
class BuyerAssessment:
    """One buyer at one instant: the vector that was scored and what follows from it."""

    buyer_id: str
    as_of: datetime
    vector: npt.NDArray[np.float64]
    evidence: BuyerEvidence


def assess_buyer(
    rows: Sequence[Row],
    *,
    buyer_id: str,
    as_of: datetime,
    score: BuyerScore,
    catalog: Catalog = CATALOG,
) -> BuyerAssessment:
    """Compute the vector from what was known before ``as_of`` and score it.

    Parameters
    ----------
    rows : sequence of Row
        As `features.online.rows_vector` takes them.
    score : BuyerScore
        Trained on the same catalog.
    """
    vector = rows_vector(rows, buyer_id=buyer_id, as_of=as_of, catalog=catalog)
    return assess_vector(vector, buyer_id=buyer_id, as_of=as_of, score=score, catalog=catalog)


def assess_vector(
    vector: npt.NDArray[np.float64],
    *,
    buyer_id: str,
    as_of: datetime,
    score: BuyerScore,
    catalog: Columns = CATALOG,
) -> BuyerAssessment:
    """Score a vector that has been computed already."""
    return BuyerAssessment(
        buyer_id=buyer_id,
        as_of=as_of,
        vector=vector,
        evidence=buyer_evidence(vector, score=score, catalog=catalog),
    )


def buyer_evidence(
    vector: npt.NDArray[np.float64], *, score: BuyerScore, catalog: Columns = CATALOG
) -> BuyerEvidence:
    """Score a vector and read the facts that tier and standing rest on from it."""
    return evidence_of(score.assess(vector), *vector[places_in(catalog)].tolist())


def places_in(catalog: Columns) -> list[int]:
    """Give the places of what `evidence_of` reads beside the score."""
    return [catalog.index[name] for name in (COMPLETED, TENURE, ABUSE)]


def evidence_of(assessed: Assessment, completed: float, tenure: float, abuse: float) -> BuyerEvidence:
    """Put an assessment and the features at `places_in` together, the same for one vector and for many."""
    days = None if tenure != tenure else tenure
    return BuyerEvidence(assessed.points, assessed.p_abuse, int(completed), days, abuse != 0)


def order_evidence(rows: Sequence[Row], *, buyer_id: str, order_id: str, as_of: datetime) -> OrderEvidence:
    """Read what the log knew of one order before ``as_of``."""
    moment = microseconds(as_of)
    known = in_order(row for row in rows if row["buyer_id"] == buyer_id and row["order_id"] == order_id)
    said = [(p.row["kind"], p.row["amount_fen"]) for p in known if p.recorded_at < moment]
    return OrderEvidence(
        shipped=any(kind == "order_shipped" for kind, _ in said),
        refunded_fen=sum(fen or 0 for kind, fen in said if kind == "refund_granted"),
        paid_amount_fen=next((fen for kind, fen in said if kind == "order_paid"), None),
    )
