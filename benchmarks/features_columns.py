"""The 69 plain columns: counts of eight kinds and sums of three in six windows, three recencies."""

from __future__ import annotations

from itertools import product
from typing import Final

from features.compile import Catalog, ReasonText
from features.declare import LIFE, Count, DaysSince, Sum, Where, Window, window_suffix

WINDOWS: Final[tuple[Window, ...]] = (7, 30, 90, 180, 365, LIFE)
COUNTED: Final = (
    "order_placed",
    "order_paid",
    "order_shipped",
    "order_completed",
    "refund_requested",
    "refund_granted",
    "order_closed_unpaid",
    "dispute_opened",
)
SUMMED: Final = ("order_paid", "order_completed", "refund_granted")
RECENT: Final = ("order_paid", "refund_requested", "dispute_opened")
DAY_US: Final = 86_400_000_000

_SAID: Final = {"reason": "benchmark", "zh": "基准", "en": "benchmark"}
PLAIN: Final = Catalog(
    [
        *(Count(name=k, where=Where(kinds=(k,)), windows=WINDOWS, **_SAID) for k in COUNTED),
        *(Sum(name=k, where=Where(kinds=(k,)), windows=WINDOWS, **_SAID) for k in SUMMED),
        *(DaysSince(name=k, where=Where(kinds=(k,)), **_SAID) for k in RECENT),
    ],
    reasons={"benchmark": ReasonText(zh="基准", en="benchmark")},
)


def name(kind: str, what: str, window: Window) -> str:
    """Return the column's name as the catalog spells it."""
    return f"{kind}_{what}_{window_suffix(window)}"


MEASURES: Final = (*product(COUNTED, ("count",)), *product(SUMMED, ("sum",)))
"""(kind, count or sum) of every windowed column, in the catalog's order."""
