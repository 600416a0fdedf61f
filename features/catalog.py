"""The one declaration of every feature. Names, constraints, reasons, schema and version follow from it.

Signals and windows are those of the domain: good history, cancellations before shipment, basket and
stock games, disputes, the shipping race and links. A refund that the shop, the carrier or the platform
caused never counts against the buyer.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from .compile import Catalog, ReasonText
from .declare import LIFE, Count, DaysSince, Distinct, Family, Median, Ratio, Sum, Total, Where

ALL: Final = (7, 30, 90, 180, 365, LIFE)
MID: Final = (30, 90, 365)
LONG: Final = (90, 365, LIFE)
RATE: Final = (30, 90, 180, 365, LIFE)

NOT_BLAMED_ON_OTHERS: Final = (None, "buyer", "none")

PLACED: Final = Where(kinds=("order_placed",))
PAID: Final = Where(kinds=("order_paid",))
COMPLETED: Final = Where(kinds=("order_completed",))
UNPAID: Final = Where(kinds=("order_closed_unpaid",))


def _cancelled(
    *,
    amount_fen: tuple[int, int] | None = None,
    pay_lag: tuple[timedelta, timedelta] | None = None,
    basket: bool | None = None,
    partial: bool | None = None,
) -> Where:
    return Where(
        kinds=("refund_requested",),
        stage=("before_shipment",),
        fault=NOT_BLAMED_ON_OTHERS,
        amount_fen=amount_fen,
        pay_lag=pay_lag,
        basket=basket,
        partial=partial,
    )


CANCELLED: Final = _cancelled()
NEAR_CAP: Final = _cancelled(amount_fen=(27_000, 30_000))
WITHIN_HOUR: Final = _cancelled(pay_lag=(timedelta(0), timedelta(hours=1)))
AFTER_DAY: Final = _cancelled(pay_lag=(timedelta(days=1), timedelta(days=3650)))
OF_BASKET: Final = _cancelled(basket=True)
PART_OF_ORDER: Final = _cancelled(partial=True)
RETURNED: Final = Where(kinds=("refund_requested",), stage=("after_shipment",), fault=NOT_BLAMED_ON_OTHERS)
SHOP_CAUSED: Final = Where(kinds=("refund_requested",), fault=("shop", "carrier", "platform"))
GRANTED: Final = Where(kinds=("refund_granted",), fault=NOT_BLAMED_ON_OTHERS)
GRANTED_AUTO: Final = Where(kinds=("refund_granted",), actor=("auto",))
REJECTED: Final = Where(kinds=("refund_rejected",))
WITHDRAWN: Final = Where(kinds=("refund_withdrawn",))
FOUND_SHIPPED: Final = Where(kinds=("refund_found_shipped",))
DISPUTED: Final = Where(kinds=("dispute_opened",), fault=NOT_BLAMED_ON_OTHERS)
LOST: Final = Where(kinds=("dispute_closed",), outcome=("merchant",))
WON: Final = Where(kinds=("dispute_closed",), outcome=("buyer",))
CONFIRMED: Final = Where(kinds=("abuse_confirmed",))
ABUSE_STANDS: Final = Distinct(where=CONFIRMED, of="buyer", until=("abuse_cleared",))


def _peers(link_type: str) -> Distinct:
    return Distinct(where=Where(kinds=("peer_linked",), link_type=(link_type,)), of="party")


def _share(name: str, part: Total, whole: Total, *, prior: float, weight: float, **said: object) -> Ratio:
    return Ratio(name=name, part=part, whole=whole, prior=prior, weight=weight, **said)  # type: ignore[arg-type]


def _n(where: Where | Distinct) -> Total:
    return Total(over=where)


def _fen(where: Where) -> Total:
    return Total(over=where, value="amount_fen")


REASONS: Final = {
    "completion": ReasonText(zh="订单完成情况", en="Orders carried through to completion"),
    "activity": ReasonText(zh="购买活跃度与金额", en="Shopping activity and amounts"),
    "tenure": ReasonText(zh="交易历史时长", en="Length of the transaction history"),
    "diversity": ReasonText(zh="交易店铺的多样性", en="Variety of shops and categories"),
    "cancellation": ReasonText(zh="发货前取消的频率", en="How often orders are cancelled before shipment"),
    "cancellation_value": ReasonText(zh="发货前取消的金额占比", en="Value cancelled before shipment"),
    "cancellation_timing": ReasonText(zh="付款到取消的时间", en="Time from payment to cancellation"),
    "near_cap": ReasonText(zh="取消金额接近极速退款上限", en="Cancelled amounts just under the cap"),
    "basket": ReasonText(zh="凑单后取消部分订单", en="Part of a basket cancelled, the rest kept"),
    "after_sale": ReasonText(zh="退货退款与售后结果", en="Returns and how after-sale cases ended"),
    "shop_caused": ReasonText(zh="商家原因的退款(不计入买家责任)", en="Refunds that the shop caused (not held against you)"),
    "unpaid": ReasonText(zh="下单未付款", en="Orders placed and never paid"),
    "dispute": ReasonText(zh="纠纷记录", en="Disputes opened and lost"),
    "shipping_race": ReasonText(zh="退款后发现已发货", en="Refunds granted and then found shipped"),
    "confirmed_abuse": ReasonText(zh="已确认的违规记录", en="Abuse confirmed by the platform"),
    "links": ReasonText(zh="与其他账号共用设备、地址或付款方式", en="Device, address or payer shared with other accounts"),
}  # fmt: skip
"""What a reason code says to people. A code groups the features that one person would name together."""

FAMILIES: Final[tuple[Family, ...]] = (
    # Good history
    Count(name="orders_placed", where=PLACED, windows=(7, 30, 365), reason="activity", zh="下单数", en="orders placed"),
    Count(name="orders_paid", where=PAID, windows=ALL, reason="activity", zh="支付订单数", en="orders paid"),
    Sum(name="paid_amount", where=PAID, windows=(30, 90, 365, LIFE), reason="activity", zh="支付金额", en="amount paid"),
    Ratio(name="order_amount", part=_fen(PAID), whole=_n(PAID), prior=9_000, weight=2, windows=LONG, reason="activity", zh="平均订单金额", en="mean amount of an order"),
    Median(name="order_amount", where=PAID, value="amount_fen", windows=(365,), reason="activity", zh="订单金额中位数", en="median amount of an order"),
    Ratio(name="order_lines", part=Total(over=PAID, value="line_count"), whole=_n(PAID), prior=2, weight=1, windows=(90, 365, LIFE), reason="activity", zh="平均订单商品数", en="mean number of items in an order"),
    DaysSince(name="order_paid", where=PAID, reason="activity", zh="距上次支付天数", en="days since the last paid order"),
    DaysSince(name="order_paid", where=PAID, which="first", reason="tenure", worse="less", zh="距首次支付天数", en="days since the first paid order"),
    Count(name="orders_completed", where=COMPLETED, windows=ALL, reason="completion", worse="less", zh="完成订单数", en="orders completed"),
    Sum(name="completed_amount", where=COMPLETED, windows=LONG, reason="completion", worse="less", zh="完成订单金额", en="amount of completed orders"),
    _share("completion_rate", _n(COMPLETED), _n(PAID), prior=0.86, weight=5, windows=RATE, reason="completion", worse="less", zh="订单完成率", en="share of paid orders completed"),
    _share("kept_value", _fen(COMPLETED), _fen(PAID), prior=0.86, weight=40_000, windows=LONG, reason="completion", worse="less", zh="保留金额占比", en="share of paid value kept"),
    DaysSince(name="order_completed", where=COMPLETED, reason="completion", zh="距上次完成天数", en="days since the last completed order"),
    Count(name="shops_completed", where=Distinct(where=COMPLETED, of="party"), windows=LONG, reason="diversity", worse="less", zh="完成订单的店铺数", en="distinct shops with a completed order"),
    Count(name="shops_paid", where=Distinct(where=PAID, of="party"), windows=MID, reason="diversity", zh="支付订单的店铺数", en="distinct shops paid"),
    Count(name="categories_paid", where=Distinct(where=PAID, of="category"), windows=(90, 365), reason="diversity", zh="支付订单的类目数", en="distinct categories paid"),
    # Before shipment
    Count(name="cancellations", where=CANCELLED, windows=(1, *ALL), reason="cancellation", worse="more", zh="发货前取消数", en="cancellations before shipment"),
    _share("cancellation_rate", _n(CANCELLED), _n(PAID), prior=0.1, weight=10, windows=RATE, reason="cancellation", worse="more", zh="发货前取消率", en="share of paid orders cancelled before shipment"),
    DaysSince(name="cancellation", where=CANCELLED, reason="cancellation", worse="less", zh="距上次取消天数", en="days since the last cancellation"),
    Count(name="shops_cancelled", where=Distinct(where=CANCELLED, of="party"), windows=LONG, reason="cancellation", worse="more", zh="被取消订单的店铺数", en="distinct shops with a cancelled order"),
    _share("cancellations_per_shop", _n(CANCELLED), _n(Distinct(where=CANCELLED, of="party")), prior=1, weight=2, windows=(90, 365), reason="cancellation", zh="每店铺取消数", en="cancellations per shop"),
    Sum(name="cancelled_amount", where=CANCELLED, windows=ALL, reason="cancellation_value", worse="more", zh="发货前取消金额", en="amount cancelled before shipment"),
    _share("cancelled_value", _fen(CANCELLED), _fen(PAID), prior=0.1, weight=80_000, windows=RATE, reason="cancellation_value", worse="more", zh="发货前取消金额占比", en="share of paid value cancelled before shipment"),
    Median(name="cancel_minutes", where=CANCELLED, value="pay_lag", windows=LONG, reason="cancellation_timing", zh="付款到取消的分钟数中位数", en="median minutes from payment to cancellation"),
    _share("cancelled_within_hour", _n(WITHIN_HOUR), _n(CANCELLED), prior=0.3, weight=4, windows=(90, 365), reason="cancellation_timing", zh="一小时内取消占比", en="share of cancellations within an hour"),
    _share("cancelled_after_day", _n(AFTER_DAY), _n(CANCELLED), prior=0.1, weight=4, windows=LONG, reason="cancellation_timing", zh="一天后取消占比", en="share of cancellations after a day"),
    Count(name="cancelled_near_cap", where=NEAR_CAP, windows=(30, 90, 365), reason="near_cap", worse="more", zh="接近上限的取消数", en="cancellations of 270 to 300 yuan"),
    _share("cancelled_near_cap", _n(NEAR_CAP), _n(CANCELLED), prior=0.02, weight=5, windows=(90, 365), reason="near_cap", worse="more", zh="接近上限的取消占比", en="share of cancellations at 270 to 300 yuan"),
    # Basket and stock games
    Count(name="cancelled_of_basket", where=OF_BASKET, windows=(30, 90, 365), reason="basket", worse="more", zh="凑单取消数", en="cancellations of one order among several paid together"),
    _share("cancelled_of_basket", _n(OF_BASKET), _n(CANCELLED), prior=0.15, weight=4, windows=(90, 365), reason="basket", worse="more", zh="凑单取消占比", en="share of cancellations out of a basket"),
    Count(name="cancelled_part", where=PART_OF_ORDER, windows=(90, 365), reason="basket", worse="more", zh="部分取消数", en="cancellations of part of an order"),
    Count(name="closed_unpaid", where=UNPAID, windows=ALL, reason="unpaid", worse="more", zh="未付款关闭数", en="orders closed unpaid"),
    _share("unpaid_rate", _n(UNPAID), _n(PLACED), prior=0.05, weight=10, windows=RATE, reason="unpaid", worse="more", zh="未付款率", en="share of placed orders never paid"),
    # After sale, disputes, shipping race
    Count(name="returns", where=RETURNED, windows=LONG, reason="after_sale", worse="more", zh="发货后退款数", en="refund requests after shipment"),
    _share("return_rate", _n(RETURNED), _n(COMPLETED), prior=0.05, weight=10, windows=(90, 365), reason="after_sale", worse="more", zh="发货后退款率", en="refund requests after shipment per completed order"),
    Count(name="refunds_granted", where=GRANTED, windows=LONG, reason="after_sale", worse="more", zh="退款通过数", en="refunds granted"),
    _share("refunded_orders", _n(Distinct(where=GRANTED, of="order")), _n(PAID), prior=0.12, weight=5, windows=LONG, reason="after_sale", worse="more", zh="退款订单占比", en="share of paid orders with a refund at any stage"),
    Count(name="refunds_auto", where=GRANTED_AUTO, windows=(30, 90), reason="after_sale", zh="自动退款数", en="refunds granted automatically"),
    Count(name="refunds_rejected", where=REJECTED, windows=LONG, reason="after_sale", worse="more", zh="退款被拒数", en="refunds rejected"),
    Count(name="refunds_withdrawn", where=WITHDRAWN, windows=(365,), reason="after_sale", zh="撤销退款数", en="refund requests withdrawn"),
    Count(name="refunds_shop_caused", where=SHOP_CAUSED, windows=(90, 365), reason="shop_caused", zh="商家原因退款数", en="refunds caused by shop, carrier or platform"),
    Count(name="disputes", where=DISPUTED, windows=LONG, reason="dispute", worse="more", zh="纠纷数", en="disputes opened"),
    Count(name="disputes_lost", where=LOST, windows=LONG, reason="dispute", worse="more", zh="败诉纠纷数", en="disputes lost"),
    Count(name="disputes_won", where=WON, windows=(365,), reason="dispute", zh="胜诉纠纷数", en="disputes won"),
    _share("dispute_rate", _n(DISPUTED), _n(PAID), prior=0.01, weight=20, windows=(90, 365, LIFE), reason="dispute", worse="more", zh="纠纷率", en="disputes per paid order"),
    DaysSince(name="dispute", where=DISPUTED, reason="dispute", worse="less", zh="距上次纠纷天数", en="days since the last dispute"),
    Count(name="found_shipped", where=FOUND_SHIPPED, windows=LONG, reason="shipping_race", worse="more", zh="退款后发现已发货数", en="refunds found shipped"),
    Sum(name="found_shipped_amount", where=FOUND_SHIPPED, windows=(365,), reason="shipping_race", worse="more", zh="退款后发现已发货金额", en="amount refunded and found shipped"),
    # Confirmed abuse, links
    Count(name="abuse_confirmed", where=CONFIRMED, windows=(365, LIFE), reason="confirmed_abuse", worse="more", zh="确认违规次数", en="abuse confirmations"),
    Count(name="abuse_standing", where=ABUSE_STANDS, windows=(LIFE,), reason="confirmed_abuse", worse="more", zh="未撤销的违规", en="abuse confirmed and not cleared"),
    Count(name="devices_used", where=Where(kinds=("identity_linked",), link_type=("device",)), windows=(90, LIFE), reason="links", zh="设备绑定次数", en="devices linked"),
    Count(name="device_peers", where=_peers("device"), windows=(LIFE,), reason="links", zh="共用设备的账号数", en="accounts sharing a device"),
    Count(name="address_peers", where=_peers("address"), windows=(LIFE,), reason="links", zh="共用地址的账号数", en="accounts sharing an address"),
    Count(name="payer_peers", where=_peers("payer"), windows=(LIFE,), reason="links", zh="共用付款方式的账号数", en="accounts sharing a payer"),
    Count(name="abusive_peers", where=Distinct(where=Where(kinds=("peer_abuse_confirmed",)), of="party", until=("peer_abuse_cleared",)), windows=(LIFE,), reason="links", worse="more", zh="关联账号中已确认违规数", en="linked accounts with confirmed abuse"),
)  # fmt: skip

CATALOG: Final = Catalog(FAMILIES, reasons=REASONS)
