from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backtest.marketplace import Market, MarketConfig, Replies, Step, live, simulate, stated_answer
from backtest.marketplace.archetypes import ARCHETYPES
from features.checks import split
from features.events import SCHEMA

CONFIG = MarketConfig(buyers=700, days=120, abuse_rate=0.4, seed=5)
DAY = pd.Timedelta(days=1)
COUNTS_FOR_OTHERS = ["abuse_confirmed", "abuse_cleared", "identity_linked", "refund_found_shipped"]
ACCOUNTS = {a.name: a.reaction.accounts for a in ARCHETYPES}


def always(step: Step, *, auto: bool, revoked: bool = False) -> Replies:
    n = len(step.requests)
    return Replies(auto=np.full(n, auto), revoked=np.full(n, revoked))


nobody, everybody = partial(always, auto=False), partial(always, auto=True)
revoke_at_once = partial(always, auto=False, revoked=True)


def but_for_event_ids(events: pa.Table) -> pa.Table:
    names = [name for name in SCHEMA.names if name != "event_id"]
    rows = events.select(names)
    return rows.take(pc.sort_indices(rows, [(name, "ascending") for name in names]))


@dataclass(frozen=True)
class Lived:
    """A market and the steps in which it was lived."""

    market: Market
    steps: list[Step]

    @property
    def told(self) -> pd.DataFrame:
        return pd.concat([step.events.to_pandas().assign(step=i) for i, step in enumerate(self.steps)])

    @property
    def asked(self) -> pd.DataFrame:
        return pd.concat([step.requests.to_pandas().assign(step=i) for i, step in enumerate(self.steps)])


def lived(answer: Callable[[Step], Replies], *, reacts: bool = True) -> Lived:
    steps: list[Step] = []
    market = live(CONFIG, lambda step: (steps.append(step), answer(step))[1], reacts=reacts)
    return Lived(market, steps)


@pytest.fixture(scope="module")
def refused() -> Lived:
    return lived(nobody)


@pytest.fixture(scope="module")
def unmoved() -> Market:
    return live(CONFIG, nobody, reacts=False)


@pytest.fixture(scope="module")
def revoked() -> Lived:
    return lived(revoke_at_once)


@pytest.fixture(scope="module", params=["refused", "revoked"])
def either(request: pytest.FixtureRequest) -> Lived:
    found: Lived = request.getfixturevalue(request.param)
    return found


def test_with_the_stated_policy_and_no_reactions_the_closed_loop_is_the_open_loop() -> None:
    closed, opened = live(CONFIG, stated_answer, reacts=False), simulate(CONFIG)

    assert but_for_event_ids(closed.events).equals(but_for_event_ids(opened.events))
    assert closed.truth.equals(opened.truth)


def test_nobody_learns_from_answers_that_are_not_to_be_felt(unmoved: Market) -> None:
    unfelt = live(CONFIG, lambda step: replace(revoke_at_once(step), felt=False))

    assert unfelt.events.equals(unmoved.events)
    assert unfelt.truth.equals(unmoved.truth)


def test_blocks_of_buyers_live_in_one_market() -> None:
    config = MarketConfig(buyers=10_100, days=3, seed=2)
    closed, opened = live(config, stated_answer, reacts=False), simulate(config)

    columns = ["buyer_id", "kind", "recorded_at", "amount_fen", "shop_id", "link_value"]
    order = [(name, "ascending") for name in columns]
    sides = [m.events.select(columns).take(pc.sort_indices(m.events, order)) for m in (closed, opened)]
    assert sides[0].equals(sides[1])
    assert closed.truth.equals(opened.truth)


def test_the_same_answers_give_the_same_bytes(refused: Lived) -> None:
    again = live(CONFIG, nobody)

    assert again.events.equals(refused.market.events)
    assert again.truth.equals(refused.market.truth)


def test_whatever_was_known_before_a_request_has_been_told_when_it_is_asked(either: Lived) -> None:
    told, asked = either.told, either.asked
    known = told.merge(asked[["buyer_id", "requested_at", "step"]], on="buyer_id", suffixes=("", "_asked"))
    earlier = known["recorded_at"] < known["requested_at"]

    assert len(told) == len(either.market.events)
    assert told.groupby("buyer_id")["recorded_at"].is_monotonic_increasing.all()
    assert asked["requested_at"].is_monotonic_increasing
    assert not asked.duplicated(["step", "buyer_id"]).any()
    assert earlier.any()
    assert (known["step"] <= known["step_asked"])[earlier].all()


def test_what_counts_for_others_has_been_told_before_anyone_asks(either: Lived) -> None:
    told, asked = either.told, either.asked
    marks = told[told["kind"].isin(COUNTS_FOR_OTHERS)]
    next_request = asked["requested_at"].searchsorted(marks["recorded_at"], side="right")
    step = np.append(asked["step"], len(either.steps))[next_request]

    assert (step >= marks["step"]).all()


def test_requests_say_what_the_log_says(refused: Lived) -> None:
    asked = refused.asked.set_index("after_sale_id")
    log = refused.market.events.to_pandas()
    written = log[log["kind"] == "refund_requested"].set_index("after_sale_id").reindex(asked.index)
    paid = log[log["kind"] == "order_paid"].set_index("order_id").reindex(asked["order_id"])

    assert asked.index.is_unique
    for name in ("buyer_id", "reason", "order_id", "shop_id", "category_id", "goods_type"):
        assert (asked[name] == written[name]).all(), name
    assert (asked["refund_amount_fen"] == written["amount_fen"]).all()
    assert (asked["requested_at"] == written["recorded_at"]).all()
    assert (asked["paid_amount_fen"].to_numpy() == paid["amount_fen"].to_numpy()).all()
    assert (asked["paid_at"].to_numpy() == paid["recorded_at"].to_numpy()).all()
    unshipped = asked["shipping_status"] == "unshipped"
    assert (unshipped == (written["stage"] == "before_shipment")).all()
    assert (unshipped == (asked["refund_type"] == "refund_only")).all()


def test_a_lived_market_passes_every_check_at_the_door(either: Lived) -> None:
    events, truth = either.market.events, either.market.truth

    assert split(events).counts == {}
    assert events["recorded_at"].to_pandas().is_monotonic_increasing
    assert set(events["buyer_id"].to_pylist()) <= set(truth["buyer_id"].to_pylist())


def test_who_gets_everything_at_once_feels_nothing() -> None:
    reacting, still = (live(CONFIG, everybody, reacts=reacts) for reacts in (True, False))
    granted = reacting.events.filter(pc.equal(reacting.events["kind"], "refund_granted"))

    assert reacting.events.equals(still.events)
    assert reacting.truth.equals(still.truth)
    assert set(granted["actor"].to_pylist()) == {"auto"}


def test_who_gets_nothing_at_once_buys_cheaper_slower_and_starts_anew(
    refused: Lived, unmoved: Market
) -> None:
    bad = unmoved.truth.filter(pc.field("is_abuser"))["buyer_id"]

    def asked(market: Market) -> pd.Series:
        rows = market.events.filter(pc.field("kind") == "refund_requested")
        rows = rows.filter((pc.field("stage") == "before_shipment") & pc.field("buyer_id").isin(bad))
        return rows["amount_fen"].to_pandas()

    assert len(asked(refused.market)) < 0.8 * len(asked(unmoved))
    assert asked(refused.market).median() < 0.9 * asked(unmoved).median()
    assert len(refused.market.truth) > len(unmoved.truth)


def test_the_honest_do_not_react(refused: Lived, unmoved: Market) -> None:
    honest = unmoved.truth.filter(~pc.field("is_abuser"))["buyer_id"]
    mine, theirs = (
        but_for_event_ids(m.events.filter(pc.field("buyer_id").isin(honest)))
        for m in (refused.market, unmoved)
    )

    assert mine.equals(theirs)


def test_abuse_ends_on_the_day_on_which_an_account_learns_that_it_is_revoked(revoked: Lived) -> None:
    events, truth = revoked.market.events.to_pandas(), revoked.market.truth.to_pandas()
    first = events[events["kind"] == "refund_requested"].groupby("buyer_id")["recorded_at"].min()
    told = truth[truth["is_abuser"]].set_index("buyer_id").join(first.rename("first"), how="inner")
    begun = told[told["abuse_starts_at"].notna()]

    assert len(begun) > 50
    assert (begun["abuse_ends_at"] <= begun["first"].dt.floor("D") + DAY).all()
    assert (told.loc[told["abuse_starts_at"].isna(), "abuse_ends_at"]).isna().all()
    placed = events[events["kind"] == "order_closed_unpaid"].merge(truth)
    raids = placed[placed["archetype"] == "stock_denier"]
    late = raids["occurred_at"] > raids["abuse_ends_at"] + DAY
    assert late.mean() < 0.1


def test_nobody_is_confirmed_for_what_was_given_up_before_it_was_done(revoked: Lived) -> None:
    events, truth = revoked.market.events.to_pandas(), revoked.market.truth.to_pandas()
    confirmed = events[events["kind"] == "abuse_confirmed"].merge(truth[truth["is_abuser"]], on="buyer_id")

    assert len(confirmed) > 5
    assert (confirmed["occurred_at"] <= confirmed["abuse_ends_at"]).all()


def test_new_accounts_are_opened_by_the_same_person_on_an_old_identity(revoked: Lived) -> None:
    events, truth = revoked.market.events.to_pandas(), revoked.market.truth.to_pandas()
    people = truth.set_index("buyer_id")
    new = truth[truth["person_id"] != truth["buyer_id"]]
    links = events[events["kind"] == "identity_linked"].merge(truth[["buyer_id", "person_id"]])

    assert len(new) > 40
    assert new["is_abuser"].all()
    assert (new["archetype"].to_numpy() == people.loc[new["person_id"], "archetype"].to_numpy()).all()
    for account in new.itertuples():
        mine = links[links["buyer_id"] == account.buyer_id]
        before = links[(links["person_id"] == account.person_id) & (links["buyer_id"] < account.buyer_id)]
        if account.signed_up_at < events["recorded_at"].max() - DAY:
            assert set(mine["link_type"]) == {"device", "address", "payer"}
            assert set(mine["link_value"]) & set(before["link_value"])
    opened = new.groupby("person_id").size()
    assert (opened <= people.loc[opened.index, "archetype"].map(ACCOUNTS)).all()
    assert "stolen_account" not in set(new["archetype"])


def test_a_new_account_goes_on_where_the_old_one_stopped(revoked: Lived) -> None:
    events, truth = revoked.market.events.to_pandas(), revoked.market.truth.to_pandas()
    new = truth[(truth["person_id"] != truth["buyer_id"])].set_index("buyer_id")
    first = events[events["kind"] == "order_placed"].groupby("buyer_id")["recorded_at"].min()
    active = new.join(first.rename("first"), how="inner")

    assert len(active) > 20
    assert (active["first"] >= active["abuse_starts_at"]).all()
    assert (active["abuse_starts_at"] > active["signed_up_at"]).all()


@pytest.mark.parametrize("wrong", [np.zeros(0, np.bool_), np.zeros((1, 1), np.bool_), np.zeros(1)])
def test_answers_that_do_not_fit_are_refused(wrong: np.ndarray) -> None:  # type: ignore[type-arg]
    def answer(step: Step) -> Replies:
        fitting = nobody(step)
        return Replies(auto=wrong, revoked=fitting.revoked) if len(step.requests) == 1 else fitting

    with pytest.raises(ValueError, match="one bool per request"):
        live(MarketConfig(buyers=100, days=60), answer)


def test_progress_ends_with_the_last_day() -> None:
    told: list[float] = []
    live(MarketConfig(buyers=20, days=4), nobody, progress=told.append)

    assert told == [0.25, 0.5, 0.75, 1.0]
