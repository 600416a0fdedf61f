"""What the after-sale system asks, and what is known of the buyer and the order when it asks."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from .value import value

RefundType = Literal["refund_only", "return_and_refund"]
GoodsType = Literal["physical", "virtual", "customized"]
ShippingStatus = Literal["unshipped", "partially_shipped", "shipped"]


@value()
class Order:
    """The order as the merchant back end states it at the time of the request.

    ``goods_type`` is the strictest of its items; ``paid_amount_fen`` is what the buyer paid, in fen.
    """

    order_id: str
    shop_id: str
    category_id: str | None
    goods_type: GoodsType
    paid_amount_fen: int
    paid_at: datetime
    shipping_status: ShippingStatus


@value()
class RefundRequest:
    """One after-sale request; times are timezone-aware, money is fen."""

    after_sale_id: str
    buyer_id: str
    refund_type: RefundType
    refund_amount_fen: int
    requested_at: datetime
    reason: str | None
    order: Order


@value()
class BuyerEvidence:
    """What history and model say of the buyer at the time of the request.

    Attributes
    ----------
    score : float
        Points in (300, 900); higher is better.
    p_abuse : float
        Calibrated probability of abuse within the label window.
    completed_orders : int
        Orders completed by then.
    tenure_days : float or None
        Days since the first paid order became known; None without one.
    abuse_confirmed : bool
        An abuse confirmation stands, that is, no later clearing.
    """

    score: float
    p_abuse: float
    completed_orders: int
    tenure_days: float | None
    abuse_confirmed: bool


@value()
class OrderEvidence:
    """What the event log says of the order at the time of the request.

    ``refunded_fen`` is the sum already granted; ``paid_amount_fen`` is None when the log has not heard of
    the payment; ``of_another_buyer`` says that the log has events of the order under another buyer.
    """

    shipped: bool
    refunded_fen: int
    paid_amount_fen: int | None
    of_another_buyer: bool = False


@value(kw_only=True)
class ShopEvidence:
    """What was measured of the shop by the time of the request; None is not known.

    Attributes
    ----------
    late_ship_rate : float or None
        Share of orders shipped later than promised, or overdue and not shipped, 0 to 1.
    tracking_lag_p90_hours : float or None
        90th percentile of the hours from handing a parcel over to entering its tracking number.
    dispute_rate : float or None
        Share of orders that end in a dispute, 0 to 1.
    """

    late_ship_rate: float | None = None
    tracking_lag_p90_hours: float | None = None
    dispute_rate: float | None = None


UNKNOWN_SHOP: Final = ShopEvidence()
