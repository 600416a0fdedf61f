"""What a reason says to the buyer: what was seen, for and against, and what would change it.

Nothing here tells of other accounts, of shops' reports or of thresholds that could be played: a shared device
is "account security", an amount just under the cap is an amount. An investigator reads the real names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Text = Mapping[str, str]


@dataclass(frozen=True)
class Wording:
    """A reason in the buyer's words: when it helps, when it hurts, and what changes it."""

    helps: Text
    hurts: Text
    change: Text


def _w(helps: tuple[str, str], hurts: tuple[str, str], change: tuple[str, str]) -> Wording:
    return Wording(*({"zh": zh, "en": en} for zh, en in (helps, hurts, change)))


_REVIEW: Final = ("如认为有误,可申请人工复核。", "If you think this is wrong, ask for a person to review it.")
_KEEP_BUYING: Final = (
    "继续正常下单并确认收货,记录会随时间改善。",
    "Keep ordering and receiving as usual; the record improves with time.",
)
_FEWER_CANCELS: Final = (
    "下单前确认需求,减少付款后的取消;较早的取消影响会逐渐减小。",
    "Decide before you pay and cancel less afterwards; earlier cancellations count less and less.",
)

BUYER_WORDS: Final[Mapping[str, Wording]] = {
    "completion": _w(
        ("您的订单大多顺利完成。", "Most of your orders were carried through."),
        ("您完成的订单较少。", "Few of your orders were carried through."),
        _KEEP_BUYING,
    ),
    "activity": _w(
        ("您的购买情况稳定。", "You shop steadily."),
        ("您近期的购买情况与多数用户不同。", "Your recent shopping is unlike most buyers'."),
        _KEEP_BUYING,
    ),
    "tenure": _w(
        ("您的交易历史较长。", "You have bought here for a long time."),
        ("您的交易历史较短。", "Your history here is still short."),
        ("随着时间推移会自然改善。", "Time alone improves it."),
    ),
    "diversity": _w(
        ("您在多家店铺有良好的交易。", "You have bought well from many shops."),
        ("您完成交易的店铺较少。", "You have completed orders with few shops."),
        _KEEP_BUYING,
    ),
    "cancellation": _w(
        ("您很少在发货前取消订单。", "You rarely cancel before shipment."),
        ("您在发货前取消订单较多。", "You often cancel before shipment."),
        _FEWER_CANCELS,
    ),
    "cancellation_value": _w(
        ("您取消的金额占比较低。", "Little of what you pay for is cancelled."),
        ("您取消的金额占比较高。", "Much of what you pay for is cancelled."),
        _FEWER_CANCELS,
    ),
    "cancellation_timing": _w(
        ("您取消订单的时间正常。", "When you cancel is nothing unusual."),
        ("您付款到取消的时间与多数用户不同。", "When you cancel is unlike most buyers."),
        _FEWER_CANCELS,
    ),
    "near_cap": _w(
        ("您取消的订单金额正常。", "The amounts you cancel are nothing unusual."),
        ("您取消的订单金额与多数用户不同。", "The amounts you cancel are unlike most buyers'."),
        _FEWER_CANCELS,
    ),
    "basket": _w(
        ("您很少只取消同批订单中的一部分。", "You rarely cancel a part of what you bought together."),
        ("您常取消同批订单中的一部分。", "You often cancel a part of what you bought together."),
        _FEWER_CANCELS,
    ),
    "after_sale": _w(
        ("您的售后记录良好。", "Your after-sale record is good."),
        ("您的退货退款较多。", "You return or are refunded often."),
        (
            "购买前核对商品信息,减少退货退款。",
            "Check what you buy beforehand and return less.",
        ),
    ),
    "shop_caused": _w(
        ("由商家原因造成的退款不计入您的责任。", "Refunds that shops caused are not held against you."),
        ("您有由商家原因造成的退款,不计入您的责任。", "Shops caused some refunds; you are not blamed."),
        ("无需您做任何事。", "There is nothing for you to do."),
    ),
    "unpaid": _w(
        ("您下单后一般都会付款。", "You pay for what you order."),
        ("您下单后未付款较多。", "Many of your orders were never paid."),
        ("确定购买后再下单,并及时付款。", "Order only what you mean to buy, and pay in time."),
    ),
    "dispute": _w(
        ("您很少发生交易纠纷。", "You rarely have disputes."),
        ("您的交易纠纷较多。", "You have had disputes."),
        (
            "先与商家协商,再发起纠纷;对结果有异议可申诉。",
            "Talk to the shop before a dispute; appeal where you think the outcome was wrong.",
        ),
    ),
    "shipping_race": _w(
        ("您的退款后没有商品仍被送达的情况。", "No refunded goods of yours turned out to be on their way."),
        (
            "您有退款后商品已发出的订单。",
            "Some of your refunded goods turned out to be on their way already.",
        ),
        (
            "退款后如收到商品,请联系商家退回。",
            "If goods arrive after a refund, contact the shop and send them back.",
        ),
    ),
    "confirmed_abuse": _w(
        ("您没有违规记录。", "There is no violation on your record."),
        ("您有平台确认的违规记录。", "The platform has confirmed a violation on your record."),
        _REVIEW,
    ),
    "links": _w(
        ("您的账号安全信息正常。", "Your account's security information is in order."),
        ("您的账号安全信息需要核实。", "Your account's security information needs to be checked."),
        _REVIEW,
    ),
}  # fmt: skip


def words_of(code: str) -> Wording:
    """Give the buyer's words of a reason; one without any is only said to matter."""
    return BUYER_WORDS.get(code) or _w(
        ("您的一项记录良好。", "One part of your record is good."),
        ("您的一项记录需要改善。", "One part of your record needs to improve."),
        _REVIEW,
    )
