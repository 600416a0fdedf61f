"""How a buyer gets back what was lost, in words for the buyer."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Final

from .message import Message
from .standing import State

_SHANGHAI: Final = timezone(timedelta(hours=8))
_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "fine": ("您可正常使用极速退款。", "You may use instant refunds."),
    "new": (
        "累计足够的已完成订单和购物时间后,即可获得极速退款资格。",
        "You become eligible once you have completed enough orders over enough time.",
    ),
    "watch": (
        "这是一次提醒,您仍可使用极速退款;最早于{until}自动解除,前提是没有新的问题记录。如有异议可申诉。",
        "This is a warning; you may still use instant refunds. It ends by itself on {until} at the "
        "earliest, if nothing new comes. You may appeal.",
    ),
    "restricted": (
        "极速退款暂停至{until},届时自动恢复;期间退款由商家正常审核。如有异议可申诉。",
        "Instant refunds are paused until {until} and come back by themselves; until then the merchant "
        "reviews your refunds as usual. You may appeal.",
    ),
    "revoked_term": (
        "极速退款资格已取消,{until}起进入观察期;期间退款由商家正常审核。如有异议可申诉,由人工裁定。",
        "You have lost instant refunds; on {until} probation begins. The merchant reviews your refunds as "
        "usual. You may appeal; a person decides.",
    ),
    "revoked": (
        "极速退款资格已取消,退款由商家正常审核。您可申诉,由人工裁定;申诉成立立即恢复。",
        "You have lost instant refunds; the merchant reviews your refunds as usual. You may appeal; a person "
        "decides, and if you are right you have them back at once.",
    ),
    "probation": (
        "您处于观察期,可使用极速退款,限额可能较低;{until}前无新的问题记录即完全恢复。",
        "You are on probation and may use instant refunds, possibly within lower limits. Without anything "
        "new all is restored on {until}.",
    ),
}


def way_back(state: State, until: datetime | None) -> Message:
    """Say what a state means for the buyer and how it ends; dates are days of Shanghai."""
    day = None if until is None else until.astimezone(_SHANGHAI).date()
    return _said(_text_of(state, until), day)


@lru_cache(maxsize=4096)
def _said(text: str, until: date | None) -> Message:
    zh, en = _TEXTS[text]
    day = "" if until is None else until.isoformat()
    return Message(zh=zh.format(until=day), en=en.format(until=day))


def _text_of(state: State, until: datetime | None) -> str:
    if state == "eligible":
        return "fine"
    return "revoked_term" if state == "revoked" and until is not None else state
