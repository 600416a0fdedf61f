"""What is kept of a decision and what is answered, as bytes that stay."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import msgspec

from decisions.engine import Decision
from decisions.request import OrderEvidence, RefundRequest
from models.evidence import BuyerAssessment
from models.reasons import Reason

from .store.decisions import DecisionRow

_encode: Final = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One decision and everything that it followed from."""

    decision_id: str
    request: RefundRequest
    decision: Decision
    buyer: BuyerAssessment
    order: OrderEvidence
    model_version: str
    catalog_version: str
    policy_version: str
    decided_at: datetime


def digest(request: RefundRequest, *, dated: bool) -> bytes:
    """Hash what a request means: not its spelling, nor the zone that its times are written in.

    A request that leaves ``requested_at`` out is another request than one that gives it (``dated``).
    """
    meaning = asdict(request)
    if not dated:
        meaning["requested_at"] = None
    return hashlib.sha256(msgspec.json.encode(meaning, order="sorted")).digest()


def row_of(case: Case, *, digest: bytes) -> DecisionRow:
    """Give the decision the form in which it is stored."""
    request, made, evidence = case.request, case.decision, case.buyer.evidence
    return DecisionRow(
        decision_id=case.decision_id,
        after_sale_id=request.after_sale_id,
        request_digest=digest,
        buyer_id=request.buyer_id,
        order_id=request.order.order_id,
        shop_id=request.order.shop_id,
        outcome=made.outcome,
        refund_amount_fen=request.refund_amount_fen,
        score=evidence.score,
        p_abuse=evidence.p_abuse,
        tier=made.tier,
        standing=made.standing,
        model_version=case.model_version,
        catalog_version=case.catalog_version,
        policy_version=case.policy_version,
        propensity=made.propensity,
        vector=case.buyer.vector.astype("<f8").tobytes(),
        record=_encode({"request": request, "buyer_evidence": evidence, "order_evidence": case.order}),
        answer=_encode(_answer(case)),
        requested_at=request.requested_at,
        decided_at=case.decided_at,
    )


def _answer(case: Case) -> dict[str, Any]:
    made = case.decision
    return {
        "decision_id": case.decision_id,
        "after_sale_id": case.request.after_sale_id,
        "outcome": made.outcome,
        "message": made.message,
        "rules": made.rules,
        "buyer": {
            "score": case.buyer.evidence.score,
            "tier": made.tier,
            "standing": made.standing,
            "reasons": None,
        },
        "model_version": case.model_version,
        "policy_version": case.policy_version,
        "decided_at": case.decided_at,
    }


def with_reasons(answer: bytes, reasons: Sequence[Reason]) -> bytes:
    """Put the reasons into a stored answer; nothing else of it changes."""
    content = msgspec.json.decode(answer)
    content["buyer"]["reasons"] = list(reasons)
    return _encode(content)
