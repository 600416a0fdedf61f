from __future__ import annotations

import pandas as pd
import pyarrow.compute as pc

from features.checks import split
from features.events import DISPUTE_OUTCOMES, SCHEMA, VOCABULARY

from .conftest import Seen


def first_recorded(seen: Seen, kind: str, key: str = "order_id") -> pd.Series:
    events = seen.events
    return events[events["kind"] == kind].groupby(key)["recorded_at"].min()


def test_the_log_has_exactly_the_contracts_columns(villains: Seen) -> None:
    assert villains.market.events.schema == SCHEMA
    for field in SCHEMA:
        if not field.nullable:
            assert villains.market.events[field.name].null_count == 0


def test_the_log_passes_every_check_at_the_door(villains: Seen) -> None:
    report = split(villains.market.events)

    assert report.counts == {}


def test_every_kind_and_only_known_words_occur(villains: Seen) -> None:
    events = villains.market.events

    for column, words in VOCABULARY.items():
        assert set(pc.unique(events[column]).drop_null().to_pylist()) == set(words)
    closed = events.filter(pc.equal(events["kind"], "dispute_closed"))
    assert set(pc.unique(closed["outcome"]).to_pylist()) == set(DISPUTE_OUTCOMES)


def test_rows_come_in_the_order_they_became_known_and_none_is_known_before_it_happened(plain: Seen) -> None:
    events = plain.market.events

    assert events["recorded_at"].to_pandas().is_monotonic_increasing
    assert pc.all(pc.greater_equal(events["recorded_at"], events["occurred_at"])).as_py()
    assert pc.count_distinct(events["event_id"]).as_py() == events.num_rows


def test_knowledge_comes_late_where_it_does_in_life(plain: Seen) -> None:
    events = plain.events
    days = (events["recorded_at"] - events["occurred_at"]).dt.total_seconds() / 86_400
    median = days.groupby(events["kind"]).median()

    assert median["abuse_confirmed"] > 7
    assert median["refund_found_shipped"] > 1
    assert 0.01 < median["order_shipped"] < 0.5
    assert (median[["order_placed", "order_paid", "refund_requested"]] == 0).all()


def test_an_order_is_paid_or_closed_never_both(plain: Seen) -> None:
    known_end = plain.orders["placed"] < plain.events["recorded_at"].max() - pd.Timedelta(hours=2)
    orders = plain.orders[known_end]

    assert (orders["paid"].notna() ^ orders["unpaid"]).all()


def test_an_order_goes_its_way_in_order(villains: Seen) -> None:
    orders = villains.orders

    for earlier, later in [
        ("placed", "paid"),
        ("paid", "left"),
        ("left", "tracked"),
        ("tracked", "completed"),
    ]:
        gap = (orders[later] - orders[earlier]).dropna()
        assert (gap >= pd.Timedelta(0)).all(), (earlier, later)
    assert not (orders["unpaid"] & orders["left"].notna()).any()


def test_a_refund_is_asked_for_after_payment_and_never_above_it(villains: Seen) -> None:
    asked = villains.orders[villains.orders["requested"].notna()]

    assert (asked["requested"] > asked["paid"]).all()
    assert (asked["refund_fen"] <= asked["fen"]).all()
    assert (asked["refund_fen"] > 0).all()
    assert (asked["refund_fen"] < asked["fen"]).mean() > 0.05


def test_a_refund_before_shipment_is_asked_for_before_the_tracking_number_is_known(villains: Seen) -> None:
    asked = villains.orders[villains.orders["requested"].notna() & villains.orders["tracked"].notna()]
    before = asked["stage"] == "before_shipment"

    assert before.any()
    assert (asked.loc[before, "requested"] <= asked.loc[before, "tracked"]).all()
    assert (asked.loc[~before, "requested"] > asked.loc[~before, "tracked"]).all()


def test_a_whole_refund_before_shipment_stops_the_parcel(villains: Seen) -> None:
    orders = villains.orders
    whole = (
        orders["granted"].notna()
        & (orders["stage"] == "before_shipment")
        & (orders["refund_fen"] == orders["fen"])
    )
    closed = villains.of("dispute_closed")["order_id"]

    assert orders.loc[whole & ~orders["order_id"].isin(closed), "tracked"].isna().all()


def test_each_case_has_one_request_that_comes_first(villains: Seen) -> None:
    events = villains.events[villains.events["after_sale_id"].notna()]
    requested = first_recorded(villains, "refund_requested", "after_sale_id")
    asked = events[events["kind"] == "refund_requested"]

    assert asked["after_sale_id"].is_unique
    assert asked["order_id"].is_unique
    assert (events["recorded_at"] >= events["after_sale_id"].map(requested)).all()


def test_refund_and_dispute_events_say_what_they_are_about(villains: Seen) -> None:
    kinds = villains.events["kind"]
    cases = villains.events[kinds.str.startswith(("refund_", "dispute_"))]
    columns = ["order_id", "after_sale_id", "shop_id", "category_id", "goods_type", "amount_fen", "stage"]

    assert cases[[*columns, "actor", "reason", "line_count"]].notna().all().all()
    faulted = kinds.isin(["refund_requested", "refund_granted", "refund_rejected", "dispute_closed"])
    assert villains.events.loc[faulted, "fault"].notna().all()


def test_order_events_say_what_was_bought(villains: Seen) -> None:
    orders = villains.events[villains.events["kind"].isin(["order_placed", "order_paid"])]

    assert orders[["amount_fen", "goods_type", "category_id", "shop_id", "line_count"]].notna().all().all()
    assert (orders["amount_fen"] >= 100).all()


def test_a_parcel_found_shipped_had_left_before_the_money_was_granted(villains: Seen) -> None:
    found = villains.of("refund_found_shipped")
    granted = first_recorded(villains, "refund_granted")

    assert (found["stage"] == "before_shipment").all()
    assert (found["occurred_at"] > found["order_id"].map(granted)).all()


def test_a_parcel_that_had_left_is_found_shipped_also_where_only_a_part_was_paid_back(
    villains: Seen,
) -> None:
    granted = villains.of("refund_granted").query("stage == 'before_shipment'")
    paid = villains.of("order_paid").set_index("order_id")["amount_fen"]
    partial = set(granted[granted["amount_fen"] < granted["order_id"].map(paid)]["after_sale_id"])

    assert partial & set(villains.of("refund_found_shipped")["after_sale_id"])


def test_disputes_follow_a_refusal_and_last_for_weeks(villains: Seen) -> None:
    closed, opened = villains.of("dispute_closed"), first_recorded(villains, "dispute_opened")
    refused = first_recorded(villains, "refund_rejected")
    length = closed["recorded_at"] - closed["order_id"].map(opened)

    assert (opened > refused.reindex(opened.index)).all()
    assert pd.Timedelta(days=10) < length.median() < pd.Timedelta(days=30)


def test_a_cleared_account_was_confirmed_before(villains: Seen) -> None:
    confirmed = first_recorded(villains, "abuse_confirmed", "buyer_id")
    cleared = villains.of("abuse_cleared")

    assert (cleared["recorded_at"] > cleared["buyer_id"].map(confirmed)).all()


def test_every_account_is_linked_at_its_opening(plain: Seen) -> None:
    links = plain.of("identity_linked")
    old = plain.truth[plain.truth["signed_up_at"] < plain.events["recorded_at"].max() - pd.Timedelta(days=2)]
    first = links[links["occurred_at"] == links["signed_up_at"]].groupby("buyer_id")["link_type"].nunique()

    assert (first.reindex(old["buyer_id"]) == 3).all()
    assert links["link_value"].str.fullmatch("[0-9a-f]{16}").all()


def test_orders_paid_together_are_one_basket_over_several_shops(plain: Seen) -> None:
    baskets = plain.paid.groupby(["buyer_id", "paid"]).agg(
        n=("order_id", "size"), shops=("shop_id", "nunique")
    )
    several = baskets[baskets["n"] > 1]

    assert 0.08 < len(several) / len(baskets) < 0.3
    assert (several["shops"] > 1).mean() > 0.8
