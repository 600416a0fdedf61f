"""What was measured on real data, and how near the simulated marketplace keeps to it.

Three sources, none of which knows everything: a Tmall table of February 2020 (28,010 orders), an Indonesian
marketplace seller (20,848 orders, 2023-12 to 2025-11), and Online Retail II (Chen 2019, UCI, CC BY 4.0; here
to 2011-05). They disagree where platforms differ, so not every fact can be met.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

TMALL, SELLER, RETAIL = "Tmall 2020", "Indonesian seller", "Online Retail II"


@dataclass(frozen=True)
class Fact:
    """A figure of real data.

    Attributes
    ----------
    figure
        Its name, with its unit.
    real
        Its value.
    source
        Where it was measured.
    within
        The largest relative difference that the market may have; none where the market does not aim at it,
        and ``why`` says why.
    """

    figure: str
    real: float
    source: str
    within: float | None = None
    why: str = ""


_MORE: Final = "the Indonesian seller has 11 % in all, Tmall 23 %: it lies between"
_GIFTS: Final = "a platform's buyers order more often than a gift retailer's"

FACTS: Final[tuple[Fact, ...]] = (
    Fact("amount p10, yuan", 37.0, TMALL, 0.12),
    Fact("amount p50, yuan", 75.0, TMALL, 0.12),
    Fact("amount p90, yuan", 183.0, TMALL, 0.12),
    Fact("amount p99, yuan", 423.0, TMALL, 0.15),
    Fact("orders under 300 yuan, %", 97.1, TMALL, 0.01),
    Fact("orders paid, %", 86.0, TMALL, 0.02),
    Fact("placed to paid p50, s", 8.0, TMALL, 0.1),
    Fact("placed to paid p90, s", 51.0, TMALL, 0.1),
    Fact("paid to shipped p10, h", 2.4, SELLER, 0.2),
    Fact("paid to shipped p50, h", 11.3, SELLER, 0.12),
    Fact("paid to shipped p90, h", 25.8, SELLER, 0.15),
    Fact("shipped to completed p10, h", 28.0, SELLER, 0.08),
    Fact("shipped to completed p50, h", 85.0, SELLER, 0.08),
    Fact("shipped to completed p90, h", 141.0, SELLER, 0.08),
    Fact("paid orders with a refund request, %", 23.4, TMALL, None, _MORE),
    Fact("refund rate above 300 yuan over below 50", 1.21, TMALL, 0.25),
    Fact("paid orders cancelled by the buyer before shipment, %", 9.2, SELLER, 0.2),
    Fact(
        "paid orders given up by the shop's fault before shipment, %",
        0.9,
        SELLER,
        None,
        "one good seller there; slow shops here, too",
    ),
    Fact("of cancellations: changed mind, %", 35.0, SELLER, 0.15),
    Fact("of cancellations: change of the order, %", 35.0, SELLER, 0.15),
    Fact("of cancellations: change of address, %", 20.0, SELLER, 0.15),
    Fact("orders of a buyer p50 over p25", 3.0, RETAIL, 0.5),
    Fact("orders of a buyer p90 over p50", 3.67, RETAIL, 0.35),
    Fact("orders of a buyer p99 over p50", 12.66, RETAIL, 0.35),
    Fact("share of orders by the busiest tenth of buyers, %", 45.5, RETAIL, 0.1),
    Fact("orders of a buyer, mean", 5.24, RETAIL, None, _GIFTS),
    Fact(
        "buyers that ever ask for a refund, %",
        39.6,
        RETAIL,
        None,
        "more orders a buyer, so more buyers ever ask",
    ),
    Fact("orders that lose something within 60 days, %", 16.4, RETAIL, 0.2),
)
