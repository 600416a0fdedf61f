from __future__ import annotations

from datetime import timedelta

import pytest

from features.catalog import CATALOG, CONFIRMED, PAID
from features.declare import Count, DaysSince, Distinct, Family, Median, Ratio, Sum, Total, Where
from features.page import page
from features.wording import definition

SAID = {"name": "n", "zh": "名", "en": "a name", "reason": "activity"}
SOME = {**SAID, "windows": (30,)}
CANCELLED = Where(kinds=("refund_requested", "refund_granted"), fault=(None, "buyer"))


@pytest.mark.parametrize(
    ("family", "words"),
    [
        (Count(where=PAID, **SOME), "number of `order_paid`"),
        (
            Count(where=CANCELLED, **SOME),
            "number of `refund_requested` or `refund_granted` (fault null or buyer)",
        ),
        (
            Sum(where=Where(kinds=("order_paid",), amount_fen=(27_000, 30_000)), **SOME),
            "sum of `amount_fen` over `order_paid` (27,000 ≤ amount_fen < 30,000)",
        ),
        (
            Ratio(
                part=Total(over=PAID, value="line_count"), whole=Total(over=PAID), prior=2, weight=4, **SOME
            ),
            "(sum of `line_count` over `order_paid` + 4 × 2) / (number of `order_paid` + 4)",
        ),
        (
            Ratio(part=Total(over=PAID), whole=Total(over=PAID), prior=0.123456789012, weight=4e4, **SOME),
            "(number of `order_paid` + 40,000 × 0.123456789012) / (number of `order_paid` + 40,000)",
        ),
        (
            Count(
                where=Where(
                    kinds=("order_paid",),
                    pay_lag=(timedelta(days=1, microseconds=1), timedelta(days=900, minutes=1)),
                ),
                **SOME,
            ),
            "number of `order_paid` (86,400,000,001 µs ≤ pay_lag < 1,296,001 min)",
        ),
        (
            Count(where=Distinct(where=CONFIRMED, of="buyer", until=("abuse_cleared",)), **SOME),
            "1 if there is `abuse_confirmed` and no later `abuse_cleared`, else 0",
        ),
        (Count(where=Distinct(where=PAID, of="party"), **SOME), "number of shops with `order_paid`"),
        (
            Count(where=Distinct(where=Where(kinds=("peer_linked",)), of="party"), **SOME),
            "number of other accounts with `peer_linked`",
        ),
        (
            Median(
                where=Where(kinds=("order_paid",), pay_lag=(timedelta(minutes=90), timedelta(days=3))),
                value="pay_lag",
                **SOME,
            ),
            "median of `pay_lag` over `order_paid` (90 min ≤ pay_lag < 3 d), in minutes; "
            "not defined without one",
        ),
        (
            DaysSince(where=Where(kinds=("order_paid",), basket=True, partial=False), which="first", **SAID),
            "days from `recorded_at` of the first of `order_paid` "
            "(its order of a basket; amount_fen at least what was paid) to `as_of`; not defined without one",
        ),
    ],
)
def test_a_declaration_is_put_into_words_that_say_all_of_it(family: Family, words: str) -> None:
    assert definition(family) == words


def test_two_families_that_mean_different_things_read_differently() -> None:
    assert len({definition(family) for family in CATALOG.families}) == len(CATALOG.families)


def test_the_page_names_every_feature_once_under_its_reason() -> None:
    written = page(CATALOG)
    assert all(written.count(f"| `{name}` |") == 1 for name in CATALOG.names)
