"""Examples and problem responses for the OpenAPI page."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from pydantic import JsonValue

from decisions.engine import MESSAGES
from decisions.rules import RULES

from .problems import MEDIA_TYPE, SLUGS

DETAILS: Final = {
    401: "the key is unknown; `buyer-tier keys create` makes one",
    403: "the key lacks the scope decide; use one that has it",
    404: "there is no decision with this id",
    408: "the body did not arrive in time",
    409: "after_sale_id 'AS-20260301-0001' was decided for a request with another body; "
    "send the first body again, or a new id",
    410: "model version 3, which made this decision, is no longer in the registry",
    413: "the body is larger than 1 MiB",
    422: "order.paid_amount_fen: Input should be a valid integer",
    500: "the service failed; the log has the request id",
    503: "send the request again: database: no answer in time",
}
EVENTS: Final[dict[str, JsonValue]] = {
    "events": [
        {
            "event_id": "E-1",
            "buyer_id": "B-1001",
            "kind": "order_paid",
            "occurred_at": "2026-03-01T10:30:00Z",
            "recorded_at": "2026-03-01T10:30:01Z",
            "order_id": "O-7001",
            "shop_id": "S-42",
            "category_id": "C-7",
            "goods_type": "physical",
            "amount_fen": 12900,
        }
    ]
}
DECIDED: Final[dict[str, Any]] = {
    "content": {
        "application/json": {
            "example": {
                "decision_id": "019ca8a1-7b00-7c0e-9d3b-2f6f0e1b7a55",
                "after_sale_id": "AS-20260301-0001",
                "outcome": "auto_refund",
                "message": {
                    "zh": MESSAGES["auto_refund"].zh,
                    "en": MESSAGES["auto_refund"].en,
                },
                "rules": [{"code": code, "passed": True, "detail": "…"} for code in RULES],
                "buyer": {"score": 742.5, "tier": "quality", "standing": "eligible", "reasons": None},
                "model_version": "3",
                "policy_version": "notice-2023-09-06",
                "decided_at": "2026-03-01T12:00:00.125000Z",
            }
        }
    }
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the problems that an operation can answer with."""
    return {status: _problem(status) for status in statuses}


def _problem(status: int) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": f"urn:buyer-tier:problem:{SLUGS[status]}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": DETAILS[status],
        "request_id": "6f1c2a",
    }
    if status == 422:
        example["errors"] = [{"field": "order.paid_amount_fen", "message": "Input should be a valid integer"}]
    content = {"schema": {"$ref": "#/components/schemas/ProblemOut"}, "example": example}
    return {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: content}}
