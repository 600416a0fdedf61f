from __future__ import annotations

import pandas as pd
import pytest

from backtest.marketplace.archetypes import ABUSERS

from .conftest import Seen


def active(seen: Seen, archetype: str) -> pd.DataFrame:
    """Orders of an archetype while its abuse lasts."""
    orders = seen.orders[seen.orders["archetype"] == archetype]
    return orders[orders["placed"].between(orders["abuse_starts_at"], orders["abuse_ends_at"])]


def ordinary(seen: Seen) -> pd.DataFrame:
    return seen.orders[seen.orders["archetype"] == "ordinary"]


def refund_share(orders: pd.DataFrame, stage: str = "before_shipment") -> float:
    return float((orders["stage"] == stage).sum() / orders["paid"].notna().sum())


def own_refund_share(orders: pd.DataFrame) -> float:
    own = (orders["stage"] == "before_shipment") & orders["fault"].isin(["buyer", "none"])
    return float(own.sum() / orders["paid"].notna().sum())


def hours_to_ask(orders: pd.DataFrame) -> float:
    own = orders[(orders["stage"] == "before_shipment") & (orders["fault"] != "shop")]
    return float(((own["requested"] - own["paid"]) / pd.Timedelta(hours=1)).median())


def sharing(seen: Seen, archetype: str, link_type: str) -> float:
    """Share of an archetype's accounts that share an identity with another account."""
    links = seen.of("identity_linked").query("link_type == @link_type")
    accounts = links.groupby("link_value")["buyer_id"].transform("nunique")
    shared = links[accounts > 1]["buyer_id"]
    members = seen.truth[seen.truth["archetype"] == archetype]["buyer_id"]
    return float(members.isin(shared).mean())


def test_coupon_cancellers_cancel_one_order_of_a_basket_and_keep_the_rest(villains: Seen) -> None:
    def partly_cancelled(orders: pd.DataFrame) -> float:
        paid = orders[orders["paid"].notna()]
        cancelled = paid["stage"] == "before_shipment"
        by_basket = cancelled.groupby([paid["buyer_id"], paid["paid"]])
        kept_some = by_basket.transform("sum") < by_basket.transform("size")
        return float((cancelled & kept_some).sum() / cancelled.sum())

    theirs = active(villains, "coupon_canceller")
    assert refund_share(theirs) > 0.35
    assert partly_cancelled(theirs) > 0.6
    assert partly_cancelled(ordinary(villains)) < 0.4


def test_coupon_cancellers_fall_below_the_threshold_that_they_had_just_reached(villains: Seen) -> None:
    theirs = active(villains, "coupon_canceller")
    paid = theirs[theirs["paid"].notna()].assign(kept=lambda o: o["fen"] - o["refund_fen"].fillna(0))
    baskets = paid.groupby(["buyer_id", "paid"]).agg(
        fen=("fen", "sum"), kept=("kept", "sum"), n=("fen", "size")
    )
    several = baskets[baskets["n"] > 1]

    assert several["fen"].between(25_500, 36_000).mean() > 0.6
    assert (several["fen"] < 30_000).mean() > 0.5, "the coupon was taken off"
    assert (several["kept"] < 25_500).mean() > 0.6


def test_stock_deniers_raid_one_shop_and_leave_most_of_it_unpaid(villains: Seen) -> None:
    theirs, others = active(villains, "stock_denier"), ordinary(villains)

    def raids(orders: pd.DataFrame) -> float:
        hour = orders["placed"].dt.floor("3h")
        return float(
            (orders.groupby([orders["buyer_id"], orders["shop_id"], hour]).transform("size") >= 3).mean()
        )

    assert theirs["unpaid"].mean() > 3 * others["unpaid"].mean()
    assert refund_share(theirs) > 0.4
    assert raids(theirs) > 0.5 > 20 * raids(others)
    assert theirs["fen"].median() > 2 * others["fen"].median()


def test_race_exploiters_are_refunded_for_parcels_that_had_left(villains: Seen) -> None:
    theirs, others = active(villains, "race_exploiter"), ordinary(villains)

    assert theirs["found_shipped"].mean() > 0.05 > 50 * others["found_shipped"].mean()
    assert theirs["fen"].between(27_000, 29_999).mean() > 5 * others["fen"].between(27_000, 29_999).mean()


def test_account_farms_share_devices_and_refund_at_an_unremarkable_pace(villains: Seen) -> None:
    theirs = active(villains, "account_farm")
    months = (theirs.groupby("buyer_id")["placed"].agg(lambda t: (t.max() - t.min()).days) + 30).sum() / 30

    assert sharing(villains, "account_farm", "device") > 0.7 > 5 * sharing(villains, "ordinary", "device")
    assert sharing(villains, "account_farm", "address") > 0.6
    assert theirs["stage"].notna().sum() / months < 2
    assert refund_share(theirs) > 2 * refund_share(ordinary(villains))


def test_accounts_of_a_farm_are_opened_within_a_week(villains: Seen) -> None:
    farms = villains.truth.query("archetype == 'account_farm'").groupby("group_id")["signed_up_at"]
    spread = farms.max() - farms.min()

    assert (farms.size() > 1).any()
    assert spread.max() <= pd.Timedelta(days=6)


def test_sleepers_have_a_good_record_until_they_cash_in(villains: Seen) -> None:
    theirs = villains.orders[villains.orders["archetype"] == "sleeper"]
    before = theirs[theirs["placed"] < theirs["abuse_starts_at"]]
    during = active(villains, "sleeper")

    assert own_refund_share(before) < 0.5 * own_refund_share(ordinary(villains))
    assert during["stage"].notna().mean() > 0.35
    slept = villains.truth.query("archetype == 'sleeper'").eval("abuse_starts_at - signed_up_at").dropna()
    assert slept.min() >= pd.Timedelta(days=100)


def test_brushers_have_a_perfect_history_with_a_few_shops_until_the_harvest(villains: Seen) -> None:
    theirs = active(villains, "brusher")
    building = theirs[theirs["placed"] < theirs["abuse_ends_at"] - pd.Timedelta(days=61)]
    harvest = theirs[theirs["placed"] > theirs["abuse_ends_at"] - pd.Timedelta(days=59)]

    def usual_shops(orders: pd.DataFrame) -> float:
        counts = orders.groupby(["buyer_id", "shop_id"]).size().sort_values(ascending=False)
        of_buyer = counts.groupby(level="buyer_id")
        total = of_buyer.sum()
        return float((of_buyer.head(3).groupby(level="buyer_id").sum() / total)[total >= 12].median())

    assert own_refund_share(building) < 0.03 < 0.06 < own_refund_share(ordinary(villains))
    assert usual_shops(building) > 0.7 > 0.5 > usual_shops(ordinary(villains))
    assert harvest["stage"].notna().mean() > 4 * building["stage"].notna().mean()


def test_colluders_are_refunded_again_and_again_by_one_shop(villains: Seen) -> None:
    def from_one_shop(orders: pd.DataFrame) -> float:
        refunded = orders[orders["stage"] == "before_shipment"]
        counts = refunded.groupby(["buyer_id", "shop_id"]).size().groupby("buyer_id").agg(["max", "sum"])
        several = counts[counts["sum"] >= 4]
        return float((several["max"] / several["sum"]).median())

    theirs = active(villains, "colluder")
    assert from_one_shop(theirs) > 0.8 > 0.6 > from_one_shop(ordinary(villains))
    assert refund_share(theirs) > 0.5


def test_stolen_accounts_are_good_until_another_device_comes_and_empties_them(villains: Seen) -> None:
    theirs = villains.orders[villains.orders["archetype"] == "stolen_account"]
    before, during = theirs[theirs["placed"] < theirs["abuse_starts_at"]], active(villains, "stolen_account")
    links = villains.of("identity_linked").query("archetype == 'stolen_account' and link_type == 'device'")
    taken = links[links["occurred_at"] == links["abuse_starts_at"]]["buyer_id"]
    known = villains.truth["abuse_starts_at"] < villains.events["recorded_at"].max() - pd.Timedelta(days=2)
    started = villains.truth[known & (villains.truth["archetype"] == "stolen_account")]["buyer_id"]

    assert own_refund_share(before) < own_refund_share(ordinary(villains))
    assert during["stage"].notna().mean() > 0.3
    assert during["fen"].median() > 2 * before["fen"].median()
    assert set(taken) >= set(started)
    assert len(started) > 20


def test_clients_of_a_concession_service_claim_by_one_script_from_its_device(villains: Seen) -> None:
    theirs, others = active(villains, "concession_client"), ordinary(villains)

    def days_to_claim(orders: pd.DataFrame) -> pd.Series:
        after = orders[orders["stage"] == "after_shipment"]
        return ((after["requested"] - after["completed"]) / pd.Timedelta(days=1)).dropna()

    assert refund_share(theirs, "after_shipment") > 3 * refund_share(others, "after_shipment")
    assert days_to_claim(theirs).between(1.6, 2.4).mean() > 0.7
    assert days_to_claim(others).between(1.6, 2.4).mean() < 0.4
    assert sharing(villains, "concession_client", "device") > 0.6


def test_indecisive_buyers_cancel_often_and_soon_but_order_again(villains: Seen) -> None:
    theirs = villains.orders[villains.orders["archetype"] == "indecisive"]

    def ordered_again(orders: pd.DataFrame) -> float:
        paid = orders[orders["paid"].notna()].sort_values(["buyer_id", "shop_id", "placed"])
        pair = paid.groupby(["buyer_id", "shop_id"])
        soon = pair["placed"].shift(-1) - paid["requested"] < pd.Timedelta(hours=2)
        return float(soon[(paid["stage"] == "before_shipment") & (paid["fault"] != "shop")].mean())

    assert refund_share(theirs) > 2 * refund_share(ordinary(villains))
    assert hours_to_ask(theirs) < 0.6 * hours_to_ask(ordinary(villains))
    assert ordered_again(theirs) > 0.5 > 1.3 * ordered_again(ordinary(villains))


def test_customers_of_slow_shops_have_many_refunds_of_the_shops_doing(villains: Seen) -> None:
    theirs, others = villains.orders[villains.orders["archetype"] == "slow_shop_customer"], ordinary(villains)

    assert refund_share(theirs) > 1.8 * refund_share(others)
    assert own_refund_share(theirs) < 1.5 * own_refund_share(others)


def test_households_share_address_and_device_and_behave_like_anybody(villains: Seen) -> None:
    theirs, others = villains.orders[villains.orders["archetype"] == "household"], ordinary(villains)

    assert sharing(villains, "household", "address") > 0.95
    assert sharing(villains, "household", "device") > 0.5
    assert own_refund_share(theirs) == pytest.approx(own_refund_share(others), rel=0.25)


def test_festival_shoppers_burst_at_festivals(villains: Seen) -> None:
    def at_festivals(orders: pd.DataFrame) -> float:
        day = orders["placed"].dt.tz_convert("Asia/Shanghai").dt.strftime("%m-%d")
        return float(day.isin(["06-17", "06-18", "11-10", "11-11", "11-12", "12-12"]).mean())

    theirs = villains.orders[villains.orders["archetype"] == "festival_shopper"]
    assert at_festivals(theirs) > 2 * at_festivals(ordinary(villains))
    assert theirs.groupby(["buyer_id", "placed"]).size().mean() > 1.7


@pytest.mark.parametrize("archetype", [a.name for a in ABUSERS])
def test_abuse_leaves_traces_in_the_log_but_not_for_everyone(villains: Seen, archetype: str) -> None:
    truth = villains.truth
    bad = truth["buyer_id"].isin(villains.bad)
    theirs = bad[(truth["archetype"] == archetype) & truth["abuse_starts_at"].notna()].mean()
    honest = bad[~truth["is_abuser"]].mean()

    assert honest < 0.05
    assert 4 * honest < theirs < 0.99
