"""The catalog is one declaration: everything else follows from it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from features.catalog import CANCELLED, CATALOG, FAMILIES, REASONS
from features.compile import Catalog
from features.declare import LIFE, Count, Distinct, Family, Ratio, Total, Where
from features.events import SCHEMA
from features.online import buyer_vector
from features.page import page
from tests.features.streams import BASE, table

NEW = Count(
    name="platform_refunds",
    where=Where(kinds=("refund_granted",), actor=("platform",)),
    windows=(30, LIFE),
    reason="after_sale",
    worse="more",
    zh="平台退款数",
    en="refunds granted by the platform",
)


def test_the_catalog_declares_at_least_sixty_features_in_both_languages() -> None:
    assert CATALOG.n_features >= 60
    assert all(f.title.zh and f.title.en for f in CATALOG.features)
    assert CATALOG.schema.names == ["buyer_id", "as_of", *CATALOG.names]


def test_a_feature_is_added_by_one_declaration() -> None:
    grown = Catalog((*FAMILIES, NEW), reasons=REASONS)
    assert grown.names[-2:] == ("platform_refunds_count_30d", "platform_refunds_count_life")
    assert grown.monotone[-2:] == (1, 1)
    assert grown.reason_codes[-1] == "after_sale"
    assert grown.version != CATALOG.version
    event = {"event_id": "e", "buyer_id": "ann", "kind": "refund_granted", "actor": "platform"}
    events = table([{**event, "occurred_at": BASE, "recorded_at": BASE}])
    vector = buyer_vector(events, buyer_id="ann", as_of=datetime(2026, 1, 1, tzinfo=UTC), catalog=grown)
    assert vector[-2:].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"zh": "别名"}, True),
        ({"en": "another title"}, True),
        ({"reason": "dispute"}, True),
        ({"windows": (30, 90)}, False),
        ({"worse": None}, False),
        ({"where": CANCELLED}, False),
        ({"name": "renamed"}, False),
    ],
)
def test_the_version_follows_the_meaning_and_not_the_words(change: dict[str, object], same: bool) -> None:
    before = Catalog((NEW,), reasons=REASONS)
    after = Catalog((replace(NEW, **change),), reasons=REASONS)
    assert (before.version == after.version) is same


def test_two_features_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="declared twice: platform_refunds_count_30d"):
        Catalog((NEW, NEW), reasons=REASONS)


def test_a_reason_without_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="reasons without a text: luck"):
        Catalog((replace(NEW, reason="luck"),), reasons=REASONS)


def test_more_selections_than_a_mask_holds_are_refused() -> None:
    many = [
        replace(NEW, name=f"f{i}", where=Where(kinds=("order_paid",), amount_fen=(i, i + 1)))
        for i in range(64)
    ]
    with pytest.raises(ValueError, match="64 distinct selections, at most 63 fit"):
        _ = Catalog(many, reasons=REASONS).plan


SHOPS = Distinct(where=CANCELLED, of="party")
RATE = Ratio(
    name="rate",
    part=Total(over=CANCELLED),
    whole=Total(over=SHOPS),
    prior=1,
    weight=1,
    windows=(30,),
    reason="after_sale",
    zh="率",
    en="a rate",
)


@pytest.mark.parametrize(
    ("family", "said"),
    [
        (replace(NEW, name="Platform Refunds"), "is not lower_snake_case"),
        (replace(NEW, en=""), "a title in Chinese or English is missing"),
        (replace(NEW, worse="higher"), "worse is 'higher'"),
        (replace(NEW, windows=()), "no window is given"),
        (replace(NEW, windows=(30, 0)), "a window of 0 days"),
        (replace(NEW, windows=(36_501,)), "a window of 36501 days"),
        (replace(NEW, where=Where(kinds=())), "no kind of event is given"),
        (replace(NEW, where=Where(kinds=("order_payed",))), "the kind 'order_payed' is none of order_placed"),
        (replace(NEW, where=Where(kinds=("order_paid",), actor=("robot",))), "actor 'robot' is none of None"),
        (replace(NEW, where=Where(kinds=("order_paid",), amount_fen=(5, 5))), "[5, 5) is empty"),
        (replace(NEW, where=replace(SHOPS, until=("never",))), "the kind 'never'"),
        (replace(RATE, weight=0), "weight is 0"),
        (replace(RATE, prior=float("nan")), "prior is nan"),
        (replace(RATE, part=Total(over=SHOPS, value="amount_fen")), "no sum of amount_fen"),
    ],
)
def test_a_wrong_declaration_is_refused_by_name_before_anything_is_computed(
    family: Family, said: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as refusal:
        Catalog((family,), reasons=REASONS)
    assert repr(family.name) in str(refusal.value)


def test_the_page_of_features_shows_this_catalog() -> None:
    written = Path(__file__).parents[2] / "docs" / "features.md"
    assert written.read_text(encoding="utf-8") == page(CATALOG), "run `make format`"


def test_refunds_that_the_shop_caused_are_not_held_against_the_buyer() -> None:
    request = {"kind": "refund_requested", "stage": "before_shipment", "order_id": "o", "amount_fen": 28_000}
    when = {"occurred_at": BASE, "recorded_at": BASE, "buyer_id": "ann"}
    faults = ("shop", "carrier", "platform")
    events = [{"event_id": f, "fault": f, **request, **when} for f in faults]
    as_of = datetime(2025, 6, 2, tzinfo=UTC)
    blamed = buyer_vector(table(events), buyer_id="ann", as_of=as_of)
    nothing = buyer_vector(SCHEMA.empty_table(), buyer_id="ann", as_of=as_of)
    different = {n for n, a, b in zip(CATALOG.names, blamed, nothing, strict=True) if a != b and a == a}
    assert different == {"refunds_shop_caused_count_90d", "refunds_shop_caused_count_365d"}
