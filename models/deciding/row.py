"""One decision as it is kept."""

from __future__ import annotations

from datetime import datetime

from decisions.value import value


@value()
class DecisionRow:
    """One decision as it is stored; the fields are the table's columns."""

    decision_id: str
    after_sale_id: str
    request_digest: bytes
    buyer_id: str
    order_id: str
    shop_id: str
    outcome: str
    refund_amount_fen: int
    score: float
    p_abuse: float
    tier: str
    standing: str
    model_version: str
    catalog_version: str
    policy_version: str
    propensity: float
    vector: bytes
    record: bytes
    answer: bytes
    requested_at: datetime
    decided_at: datetime
