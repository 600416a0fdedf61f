"""What is kept of a decision and what is answered, as bytes that stay."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import msgspec
import numpy as np

from decisions.caps import Usage
from decisions.case import Verdict
from decisions.engine import Decision
from decisions.ids import decision_id as id_of
from decisions.policy import Policy
from decisions.request import BuyerEvidence, OrderEvidence, RefundRequest, ShopEvidence
from decisions.standing import Standing
from decisions.tiers import Tier

from ..evidence import BuyerAssessment
from ..reasons import Reason
from .row import DecisionRow

_encode: Final = msgspec.json.Encoder().encode
_sorted: Final = msgspec.json.Encoder(order="sorted").encode
_VECTOR: Final = np.dtype("<f8")


class Case(msgspec.Struct, kw_only=True, gc=False):
    """Everything that one decision follows from; not frozen: it lives no longer.

    ``usage`` and ``shop`` are there where the policy limits any, ``standing`` where anything was heard.
    """

    request: RefundRequest
    buyer: BuyerAssessment
    order: OrderEvidence
    previous_tier: Tier | None
    model_version: str
    catalog_version: str
    policy: Policy
    decided_at: datetime
    usage: Usage | None = None
    shop: ShopEvidence | None = None
    standing: Standing | None = None


def digest(request: RefundRequest, *, dated: bool) -> bytes:
    """Hash what a request means: not its spelling, nor the zone that its times are written in.

    A request that leaves ``requested_at`` out is another request than one that gives it (``dated``).
    """
    meaning = request if dated else _undated(request)
    return hashlib.sha256(_sorted(meaning)).digest()


def _undated(request: RefundRequest) -> RefundRequest:
    """Leave the date out; `dataclasses.replace` takes as long as the hash."""
    return RefundRequest(
        after_sale_id=request.after_sale_id,
        buyer_id=request.buyer_id,
        refund_type=request.refund_type,
        refund_amount_fen=request.refund_amount_fen,
        requested_at=None,  # type: ignore[arg-type]
        reason=request.reason,
        order=request.order,
    )


def row_of(case: Case, made: Decision, *, digest: bytes, named: str | None = None) -> DecisionRow:
    """Give the decision the form in which it is stored.

    Parameters
    ----------
    digest : bytes
        What the request means.
    named : str, optional
        The id that the decision has already.
    """
    request, evidence = case.request, case.buyer.evidence
    decision_id = named or id_of(case.decided_at, request.after_sale_id)
    return DecisionRow(  # in order, as names would take three times as long
        decision_id,
        request.after_sale_id,
        digest,
        request.buyer_id,
        request.order.order_id,
        request.order.shop_id,
        made.outcome,
        request.refund_amount_fen,
        evidence.score,
        evidence.p_abuse,
        made.tier,
        made.standing,
        case.model_version,
        case.catalog_version,
        case.policy.version,
        made.propensity,
        case.buyer.vector.astype(_VECTOR, copy=False).tobytes(),
        _encode(_record(case)),
        _encode(_answer(decision_id, case, made)),
        request.requested_at,
        case.decided_at,
    )


def _record(case: Case) -> dict[str, Any]:
    kept: dict[str, Any] = {
        "request": case.request,
        "buyer_evidence": case.buyer.evidence,
        "order_evidence": case.order,
        "previous_tier": case.previous_tier,
        "tier_rule": case.policy.tier_rule,
    }
    if case.usage is not None:
        kept["usage"] = case.usage
    if case.shop is not None:
        kept["shop_evidence"] = case.shop
    if case.standing is not None:
        kept["standing"] = {"state": case.standing.state, "version": case.standing.version}
    return kept


def _answer(decision_id: str, case: Case, made: Decision) -> dict[str, Any]:
    return {
        "decision_id": decision_id,
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
        "policy_version": case.policy.version,
        "decided_at": case.decided_at,
    }


def policy_of(record: bytes, *, version: str, base: Policy) -> Policy:
    """Give back the policy by which a stored decision's tier was made; the rest of it is ``base``."""
    kept = msgspec.json.decode(record).get("tier_rule")
    return base if kept is None else replace(base, version=version, **kept)


def evidence_of(record: bytes) -> BuyerEvidence:
    """Give back what a stored decision knew of the buyer."""
    return BuyerEvidence(**msgspec.json.decode(record)["buyer_evidence"])


def previous_tier_of(record: bytes) -> Tier | None:
    """Give back the tier that the buyer had before a stored decision; None without one."""
    found: Tier | None = msgspec.json.decode(record).get("previous_tier")
    return found


def usage_of(record: bytes) -> Usage | None:
    """Give back what was used before a stored decision; None where its policy limited nothing."""
    kept = msgspec.json.decode(record).get("usage")
    return None if kept is None else msgspec.convert(kept, Usage)


def request_of(record: bytes) -> RefundRequest:
    """Give back the request of a stored decision."""
    return msgspec.convert(msgspec.json.decode(record)["request"], RefundRequest)


def order_of(record: bytes) -> OrderEvidence:
    """Give back what a stored decision knew of the order."""
    return msgspec.convert(msgspec.json.decode(record)["order_evidence"], OrderEvidence)


def shop_of(record: bytes) -> ShopEvidence | None:
    """Give back what was measured of the shop; None where the policy did not ask."""
    kept = msgspec.json.decode(record).get("shop_evidence")
    return None if kept is None else ShopEvidence(**kept)


def standing_of(record: bytes) -> Standing | None:
    """Give back the standing that a stored decision went by, as far as it goes into one; None without one."""
    kept = msgspec.json.decode(record).get("standing")
    return None if kept is None else Standing(**kept)


def rules_of(answer: bytes) -> tuple[Verdict, ...]:
    """Give back every rule's verdict of a stored decision."""
    return tuple(Verdict(**rule) for rule in msgspec.json.decode(answer)["rules"])


def with_reasons(answer: bytes, reasons: Sequence[Reason]) -> bytes:
    """Put the reasons into a stored answer; nothing else of it changes."""
    content = msgspec.json.decode(answer)
    content["buyer"]["reasons"] = list(reasons)
    return _encode(content)
