"""The request of a decision read by msgspec: as strict as `schemas.RefundDecisionIn`, and faster."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import msgspec

from decisions.limits import MOST_FEN
from decisions.request import GoodsType, Order, RefundRequest, RefundType, ShippingStatus
from models.deciding.record import digest

from .schemas import EARLIEST, LATEST

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Text = Annotated[str, msgspec.Meta(max_length=1000)]
Fen = Annotated[int, msgspec.Meta(gt=0, le=MOST_FEN)]
_DATED: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]").match


class _Order(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    order_id: Id
    shop_id: Id
    goods_type: GoodsType
    paid_amount_fen: Fen
    paid_at: str
    shipping_status: ShippingStatus
    category_id: Id | None = None


class _Request(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    after_sale_id: Id
    buyer_id: Id
    refund_type: RefundType
    refund_amount_fen: Fen
    order: _Order
    requested_at: str | None = None
    reason: Text | None = None


_decode: Final = msgspec.json.Decoder(_Request).decode


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A request and the hash of its meaning."""

    request: RefundRequest
    digest: bytes


def decision_request(body: bytes, now: datetime) -> AskedFor | None:
    """Read a request, dated ``now`` if it has no date; None if anything about it is doubtful."""
    if b"\\u0000" in body:  # the one character that the schema refuses and JSON can hold
        return None
    try:
        sent = _decode(body)
        order = sent.order
        paid_at = instant(order.paid_at)
        requested_at = now if sent.requested_at is None else instant(sent.requested_at)
    except ValueError:  # msgspec's own are ValueErrors, too
        return None
    if paid_at is None or requested_at is None or sent.refund_amount_fen > order.paid_amount_fen:
        return None
    request = RefundRequest(
        after_sale_id=sent.after_sale_id,
        buyer_id=sent.buyer_id,
        refund_type=sent.refund_type,
        refund_amount_fen=sent.refund_amount_fen,
        requested_at=requested_at,
        reason=sent.reason,
        order=Order(
            order_id=order.order_id,
            shop_id=order.shop_id,
            category_id=order.category_id,
            goods_type=order.goods_type,
            paid_amount_fen=order.paid_amount_fen,
            paid_at=paid_at,
            shipping_status=order.shipping_status,
        ),
    )
    return AskedFor(request, digest(request, dated=sent.requested_at is not None))


def instant(text: str) -> datetime | None:
    """Read an instant as `schemas.Instant` does."""
    if _DATED(text) is None:
        return None
    read = datetime.fromisoformat(text)
    if read.tzinfo is None or not EARLIEST <= read < LATEST:
        return None
    return read.astimezone(UTC)
