"""The documents of the HTTP interface: what a client sends, checked strictly, and what it gets.

Strict means: a number is a JSON integer and not 12.0 or "12", an instant has its zone, and a field that
is not known is refused, so that a misspelt one is not silently left out of a decision about money.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    model_validator,
)
from pydantic_core import PydanticCustomError

from decisions.limits import MOST_FEN
from decisions.request import GoodsType, Order, RefundRequest, RefundType, ShippingStatus
from decisions.standing import State
from models.deciding.record import digest

MAX_INT64: Final = 2**63 - 1
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


def _read(value: Any) -> datetime:
    """Read text only: pydantic would also take "1700000000" for seconds since 1970."""
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        with suppress(ValueError):
            if (found := datetime.fromisoformat(value)).tzinfo is not None:
                return found
    raise PydanticCustomError("instant", "must be an ISO 8601 time with its zone, as in 2026-03-01T12:00:00Z")


def _plausible(value: datetime) -> datetime:
    if not EARLIEST <= value < LATEST:
        raise PydanticCustomError("instant_range", "must lie in the years 2000 to 2099")
    return value.astimezone(UTC)


def _printable(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("nul", "must not hold the character U+0000")
    return value


Id = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(_printable)]
Text = Annotated[str, Field(max_length=1000), AfterValidator(_printable)]
Fen = Annotated[int, Field(gt=0, le=MOST_FEN)]
Instant = Annotated[AwareDatetime, BeforeValidator(_read), AfterValidator(_plausible)]

EXAMPLE_REQUEST: Final[dict[str, JsonValue]] = {
    "after_sale_id": "AS-20260301-0001",
    "buyer_id": "B-1001",
    "refund_type": "refund_only",
    "refund_amount_fen": 12900,
    "requested_at": "2026-03-01T12:00:00Z",
    "reason": "changed my mind",
    "order": {
        "order_id": "O-7001",
        "shop_id": "S-42",
        "category_id": "C-7",
        "goods_type": "physical",
        "paid_amount_fen": 12900,
        "paid_at": "2026-03-01T10:30:00Z",
        "shipping_status": "unshipped",
    },
}


class Sent(BaseModel):
    """A document that a client sends."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class OrderIn(Sent):
    """The order as the merchant back end states it now."""

    order_id: Id
    shop_id: Id
    category_id: Id | None = None
    goods_type: GoodsType = Field(description="The strictest of the order's items.")
    paid_amount_fen: Fen
    paid_at: Instant
    shipping_status: ShippingStatus


class RefundDecisionIn(Sent):
    """A refund request before the merchant has looked at it."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE_REQUEST]})

    after_sale_id: Id = Field(description="Decided once: the same id and body get the same answer.")
    buyer_id: Id
    refund_type: RefundType
    refund_amount_fen: Fen = Field(description="Not more than the paid amount.")
    requested_at: Instant | None = Field(
        default=None, description="What is known before this instant counts. Now, if left out."
    )
    reason: Text | None = None
    order: OrderIn

    @model_validator(mode="after")
    def _not_above_paid(self) -> Self:
        if self.refund_amount_fen > self.order.paid_amount_fen:
            raise PydanticCustomError(
                "above_paid", "must not be above order.paid_amount_fen", {"field": "refund_amount_fen"}
            )
        return self

    def request(self, now: datetime) -> RefundRequest:
        """Give the request as the decision knows it, dated ``now`` if it has no date."""
        return RefundRequest(
            after_sale_id=self.after_sale_id,
            buyer_id=self.buyer_id,
            refund_type=self.refund_type,
            refund_amount_fen=self.refund_amount_fen,
            requested_at=self.requested_at or now,
            reason=self.reason,
            order=Order(**self.order.model_dump()),
        )

    def digest(self, request: RefundRequest) -> bytes:
        """Hash what was asked; without a date in the body, the date does not count."""
        return digest(request, dated=self.requested_at is not None)


class Asked(BaseModel):
    """The parameters of a query; a misspelt one is refused, as a field is."""

    model_config = ConfigDict(extra="forbid")


class ExplainQuery(Asked):
    """Whether to explain."""

    explain: bool = Field(default=False, description="Give the reasons, a few milliseconds for each score.")


class ScoreQuery(Asked):
    """When to look."""

    as_of: Instant | None = Field(
        default=None, description="What was known before this instant counts. Default: now."
    )


class ScoresIn(Sent):
    """Buyers to score."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"buyer_ids": ["B-1001", "B-1002"]}]})

    buyer_ids: list[Id] = Field(min_length=1, max_length=1000)


class Received(BaseModel):
    """A document that a client gets; fields may be added."""


class Message(Received):
    """A text for people."""

    zh: str
    en: str


class Rule(Received):
    """One hard rule's verdict."""

    code: str = Field(examples=["amount_below_cap"])
    passed: bool
    detail: str


class Reason(Received):
    """Why the score is what it is; a positive contribution raises the probability of abuse."""

    code: str
    text: Message
    contribution: float = Field(description="In log-odds before calibration.")


class DecidedBuyer(Received):
    """The buyer as decided upon."""

    score: float = Field(description="300 to 900 points, more is better.")
    tier: Literal["quality", "standard", "low", "new"]
    standing: State
    reasons: list[Reason] | None


class RefundDecision(Received):
    """A stored decision. What is not refunded automatically is not refused: a person reviews it."""

    decision_id: str
    after_sale_id: str
    outcome: Literal["auto_refund", "manual_review"]
    message: Message
    rules: list[Rule]
    buyer: DecidedBuyer
    model_version: str
    policy_version: str
    decided_at: datetime


class DecisionPage(Received):
    """Decisions, newest first."""

    items: list[RefundDecision]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last.")


class BuyerScoreOut(Received):
    """A buyer's score."""

    buyer_id: str
    score: float
    p_abuse: float
    tier: Literal["quality", "standard", "low", "new"]
    reasons: list[Reason] | None
    as_of: datetime
    model_version: str
    catalog_version: str


class ScorePage(Received):
    """Scores in the order of the ids."""

    items: list[BuyerScoreOut]


class EventResult(Received):
    """What became of one event."""

    event_id: str | None
    status: Literal["accepted", "duplicate", "rejected"]
    reason: str | None = None


class EventResults(Received):
    """One result for each event, in the order in which they were sent."""

    results: list[EventResult]


class FieldError(Received):
    """One thing that is wrong with a request."""

    field: str = Field(examples=["order.paid_amount_fen"])
    message: str


class ProblemOut(Received):
    """A problem document (RFC 9457)."""

    type: str = Field(examples=["urn:buyer-tier:problem:invalid-request"])
    title: str
    status: int
    detail: str
    request_id: str | None = None
    errors: list[FieldError] | None = None
