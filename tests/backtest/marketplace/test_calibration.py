from __future__ import annotations

import numpy as np
import pandas as pd

from backtest.marketplace import MarketConfig, simulate

from .conftest import Seen

HOUR = pd.Timedelta(hours=1)


def hours(frame: pd.DataFrame, start: str, end: str) -> pd.Series:
    return (frame[end] - frame[start]).dropna() / HOUR


def test_a_tenth_of_the_paid_orders_is_cancelled_before_shipment(plain: Seen) -> None:
    before = plain.paid["stage"] == "before_shipment"
    shop = before & (plain.paid["fault"] == "shop")

    assert 0.08 < before.mean() < 0.12
    assert 0.01 < shop.mean() < 0.035


def test_most_refunds_are_asked_for_before_shipment(plain: Seen) -> None:
    after = plain.paid["stage"] == "after_shipment"

    assert 0.04 < after.mean() < 0.08


def test_dear_orders_are_refunded_somewhat_more_often(plain: Seen) -> None:
    asked = plain.paid["requested"].notna()
    cheap, dear = asked[plain.paid["fen"] < 5_000].mean(), asked[plain.paid["fen"] > 30_000].mean()

    assert 1.05 < dear / cheap < 1.8


def test_buyers_order_about_once_a_month_and_some_far_more(plain: Seen) -> None:
    orders = plain.orders.groupby("buyer_id").size()
    end = plain.events["recorded_at"].max()
    months = (end - plain.truth["signed_up_at"]).dt.total_seconds().sum() / (30 * 86_400)

    assert 0.7 < len(plain.orders) / months < 1.3
    assert orders.quantile(0.99) > 8 * orders.median()


def test_a_twentieth_of_the_orders_is_virtual_and_another_made_to_order(plain: Seen) -> None:
    share = plain.orders["goods_type"].value_counts(normalize=True)

    assert 0.04 < share["virtual"] < 0.085
    assert 0.025 < share["customized"] < 0.055


def test_festivals_multiply_the_orders_of_a_day() -> None:
    placed = Seen(simulate(MarketConfig(buyers=2_000, days=220))).orders["placed"]
    by_day = placed.dt.tz_convert("Asia/Shanghai").dt.date.astype(str).value_counts()

    assert by_day["2025-11-11"] > 4 * by_day.median()
    assert by_day["2025-06-18"] > 3 * by_day.median()


def test_people_sleep_at_night(plain: Seen) -> None:
    hour = plain.orders["placed"].dt.tz_convert("Asia/Shanghai").dt.hour

    assert (hour == 21).mean() > 5 * (hour == 4).mean()


def test_shops_differ_in_their_lag_and_some_enter_numbers_the_next_day(plain: Seen) -> None:
    lag = hours(plain.paid, "left", "tracked").groupby(plain.paid["shop_id"]).median()

    assert 0.05 < (lag > 6).mean() < 0.25
    assert lag.median() < 2.5


def test_refunds_in_the_history_were_granted_automatically_by_shops_and_by_the_platform(plain: Seen) -> None:
    granted = plain.of("refund_granted")
    before = granted[granted["stage"] == "before_shipment"]
    share = before["actor"].value_counts(normalize=True)
    auto = before[before["actor"] == "auto"].merge(plain.orders, on="order_id", suffixes=("", "_order"))

    assert 0.25 < share["auto"] < 0.55
    assert 0.001 < share["platform"] < 0.05
    assert (auto["fen"] < 10_000).all()
    assert (auto["goods_type"] == "physical").all()
    assert (auto["requested"] - auto["paid"] <= pd.Timedelta(hours=2)).all()


def test_investigators_are_late_incomplete_and_sometimes_wrong(villains: Seen, plain: Seen) -> None:
    confirmed = set(villains.of("abuse_confirmed")["buyer_id"])
    active = villains.truth[villains.truth["abuse_starts_at"].notna()]
    honest = plain.truth[~plain.truth["is_abuser"]]
    wrongly = plain.of("abuse_confirmed").query("not is_abuser")["buyer_id"]

    assert 0.2 < active["buyer_id"].isin(confirmed).mean() < 0.6
    assert 0.0 < len(wrongly) / len(honest) < 0.005
    assert np.isin(wrongly, plain.of("abuse_cleared")["buyer_id"]).mean() > 0.4
