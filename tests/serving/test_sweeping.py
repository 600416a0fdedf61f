"""The nightly sweep: scores, links and shops, of all buyers at once."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI

from decisions.policy_file import parse
from serving.store.database import Database
from serving.sweeping import sweep, verify
from tests.serving.conftest import Add, client_of
from tests.serving.scenes import ASKED_AT, NOW, FakeScore, event, good_history
from tests.serving.test_caps import ask, failed, governed

DECISIONS = "/v1/refund-decisions"
WATCH = """
version = "watch-1"
[standing]
watch_below_score = 650.0
watch_hysteresis_points = 100.0
watch_days = 0.0
"""
LINKS = """
version = "links-1"
[standing]
watch_points = 3
strike_expires_days = 90
[standing.points]
found_shipped = 2
linked_abuse = 5
"""
SHOPS = """
version = "shops-1"
[shop]
max_late_ship_rate = 0.25
unknown = "{unknown}"
"""


async def swept(
    url: str, text: str, *, days: float = 0.0, seen: list[tuple[int, int]] | None = None
) -> dict[str, int]:
    database, policy = Database(url, size=1, timeout=20), parse(text, source="test")
    steps: list[tuple[int, int]] = [] if seen is None else seen
    await database.open()
    try:
        return await sweep(
            database,
            policy=policy,
            now=NOW + timedelta(days=days),
            progress=lambda done, total: steps.append((done, total)),
            score=FakeScore,  # type: ignore[arg-type]
        )
    finally:
        await database.close()


async def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


def cancelled(buyer: str, n: int, *, first: int = 0) -> list[dict[str, Any]]:
    """One cancellation costs 100 of 800 points."""
    asked = ASKED_AT - timedelta(days=2)
    return [
        event(f"{buyer}-x{i}", buyer, "refund_requested", asked, order_id=f"{buyer}-O0", shop_id="S-1",
              stage="before_shipment", fault="buyer", amount_fen=5000, after_sale_id=f"{buyer}-A{i}")
        for i in range(first, first + n)
    ]  # fmt: skip


STATES = "SELECT buyer_id, state FROM standings ORDER BY 1"


async def test_whoever_scores_low_is_watched_and_who_was_never_heard_of_costs_no_row(
    url: str, add: Add
) -> None:
    await add([*good_history("a"), *good_history("b"), *good_history("c"), *cancelled("b", 2)])
    steps: list[tuple[int, int]] = []
    found = await swept(url, WATCH, seen=steps)
    assert (found["buyers"], steps) == (3, [(3, 3)])
    assert await rows(url, STATES) == [("b", "watch")]
    assert (await swept(url, WATCH))["transitions"] == 0, "a second sweep finds nothing new"


async def test_the_watch_is_left_only_beyond_the_hysteresis(url: str, add: Add) -> None:
    await add([*good_history("b"), *cancelled("b", 2)])
    await swept(url, WATCH)
    eased = WATCH.replace("650.0", "550.0")
    await swept(url, eased, days=1)
    assert await rows(url, STATES) == [("b", "watch")], "600 points are below 550 + 100"
    await swept(url, eased.replace("100.0", "50.0"), days=2)
    assert await rows(url, STATES) == [("b", "eligible")], "600 are not below 550 + 50"


def test_batches_cover_everyone_and_each_is_one_step(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.sweeping.BUYERS_AT_ONCE", 2)

    async def filled() -> list[tuple[int, int]]:
        connection = await asyncpg.connect(url)
        await connection.executemany(
            "INSERT INTO events (event_id, buyer_id, kind, occurred_at, recorded_at) "
            "VALUES ($1, $1, 'order_placed', $2, $2)",
            [(f"b{n}", ASKED_AT) for n in range(5)],
        )
        await connection.close()
        steps: list[tuple[int, int]] = []
        await swept(url, WATCH, seen=steps)
        return steps

    assert asyncio.run(filled()) == [(2, 5), (4, 5), (5, 5)]


def link(buyer: str, n: int = 0) -> dict[str, Any]:
    at = ASKED_AT - timedelta(days=20)
    return event(f"{buyer}-l{n}", buyer, "identity_linked", at, link_type="device", link_value="d1")


async def test_a_link_alone_moves_nothing_and_counts_only_beside_the_buyers_own(url: str, add: Add) -> None:
    lost = event("l", "guilty", "refund_found_shipped", ASKED_AT, order_id="guilty-O0")
    await add([link("abuser"), link("spouse"), link("guilty"), lost])
    await add([event("v", "abuser", "abuse_confirmed", ASKED_AT - timedelta(days=1))])
    await swept(url, LINKS)
    assert await rows(url, STATES) == [("abuser", "revoked"), ("guilty", "watch"), ("spouse", "new")]
    assert (await swept(url, LINKS))["transitions"] == 0, "what was told is not told again"
    await add([event("w", "abuser", "abuse_cleared", ASKED_AT - timedelta(hours=1))])
    await swept(url, LINKS, days=40)
    assert await rows(url, STATES) == [("abuser", "new"), ("guilty", "new"), ("spouse", "new")]
    database = Database(url, size=1, timeout=20)
    await database.open()
    assert await verify(database) == (3, [])
    await database.close()


async def test_who_shares_a_link_with_a_cleared_account_hears_nothing(url: str, add: Add) -> None:
    await add([link("abuser"), link("spouse")])
    times = (("abuse_confirmed", 3), ("abuse_cleared", 2))
    await add([event(k, "abuser", k, ASKED_AT - timedelta(days=d)) for k, d in times])
    await swept(url, LINKS)
    assert [b for b, _ in await rows(url, STATES)] == ["abuser"]


def parcels(shop: str, late: int, total: int) -> list[dict[str, Any]]:
    found = []
    for n in range(total):
        paid = ASKED_AT - timedelta(days=30)
        left = paid + timedelta(hours=48, microseconds=1 if n < late else 0)
        order = {"order_id": f"{shop}-{n}", "shop_id": shop}
        found.append(event(f"{shop}-p{n}", f"{shop}-buyer", "order_paid", paid, amount_fen=1, **order))
        told = event(f"{shop}-s{n}", f"{shop}-buyer", "order_shipped", left, **order)
        found.append(told | {"recorded_at": left + timedelta(hours=n)})
        if n < 5:
            at = left + timedelta(days=3)
            found.append(event(f"{shop}-d{n}", f"{shop}-buyer", "dispute_opened", at, **order))
    return found


async def test_shops_are_measured_from_the_log(url: str, add: Add) -> None:
    await add([*parcels("fast", 5, 20), *parcels("slow", 6, 20), *parcels("tiny", 19, 19)])
    assert (await swept(url, 'version = "x"'))["shops"] == 3
    measured = await rows(
        url,
        "SELECT shop_id, orders, late_ship_rate, tracking_lag_p90_hours, dispute_rate "
        "FROM shop_figures ORDER BY 1",
    )
    assert measured == [
        ("fast", 20, 0.25, pytest.approx(17.1), 0.25),
        ("slow", 20, 0.3, pytest.approx(17.1), 0.25),
        ("tiny", 19, None, None, None),
    ]
    await swept(url, 'version = "x"', days=200)
    assert await rows(url, "SELECT FROM shop_figures") == [], "a shop without orders is forgotten"


HOURS = timedelta(hours=1)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("paid", "then", "rate"),
    [
        pytest.param(NOW - 48 * HOURS - TICK, [], 0.5, id="its time is over and it has not left"),
        pytest.param(NOW - 48 * HOURS, [], 0.0, id="its time ends now"),
        pytest.param(NOW - 72 * HOURS, [("order_shipped", 48 * HOURS)], 0.0, id="it left in time"),
        pytest.param(NOW - 72 * HOURS, [("order_shipped", 48 * HOURS + TICK)], 0.5, id="it left too late"),
        pytest.param(NOW - 72 * HOURS, [("refund_requested", 48 * HOURS)], 0.0, id="asked back in time"),
        pytest.param(NOW - 72 * HOURS, [("refund_granted", 48 * HOURS)], 0.0, id="paid back in time"),
        pytest.param(NOW - 72 * HOURS, [("refund_requested", 48 * HOURS + TICK)], 0.5, id="asked back later"),
        pytest.param(NOW - 72 * HOURS, [("order_completed", 60 * HOURS)], 0.0, id="it has arrived"),
    ],
)
async def test_an_order_that_has_not_left_when_its_time_is_over_is_late(
    url: str, add: Add, paid: datetime, then: list[tuple[str, timedelta]], rate: float
) -> None:
    """Twenty orders whose parcels left in time, and twenty of which the case tells."""
    found = parcels("shop", 0, 20)
    for n in range(20):
        order = {"order_id": f"case-{n}", "shop_id": "shop"}
        found.append(event(f"case-p{n}", "b", "order_paid", paid, amount_fen=1, **order))
        found += [event(f"case-{kind}-{n}", "b", kind, paid + after, **order) for kind, after in then]
    await add(found)
    await swept(url, 'version = "x"')
    (measured,) = await rows(url, "SELECT late_ship_rate FROM shop_figures")
    assert measured == (rate,)


@pytest.mark.parametrize(("goods", "rate"), [("physical", 1.0), ("customized", 1.0), ("virtual", None)])
async def test_a_shop_that_never_sends_is_late_with_everything_but_virtual_goods(
    url: str, add: Add, goods: str, rate: float | None
) -> None:
    paid = ASKED_AT - timedelta(days=9)
    order = {"shop_id": "never", "amount_fen": 1, "goods_type": goods}
    never = [event(f"n{n}", "b", "order_paid", paid, order_id=f"n{n}", **order) for n in range(20)]
    await add(never)
    await swept(url, 'version = "x"')
    query = "SELECT late_ship_rate FROM shop_figures WHERE shop_id = 'never'"
    assert await rows(url, query) == [(None,)], "a log that tells of no parcel says nothing of any"
    await add(parcels("other", 0, 1))
    await swept(url, 'version = "x"')
    assert await rows(url, query) == [(rate,)]


@pytest.mark.parametrize(
    ("shop", "unknown", "codes"),
    [
        ("fast", "hold", []),
        ("slow", "pass", ["shop_quality"]),
        ("tiny", "pass", []),
        ("tiny", "hold", ["shop_quality"]),
        ("never-seen", "pass", []),
        ("never-seen", "hold", ["shop_quality"]),
    ],
)
async def test_a_policy_scopes_by_what_was_measured_of_the_shop(
    app: FastAPI, headers: dict[str, str], add: Add, url: str, shop: str, unknown: str, codes: list[str]
) -> None:
    await add([*good_history(), *parcels("fast", 5, 20), *parcels("slow", 6, 20), *parcels("tiny", 19, 19)])
    policy = SHOPS.format(unknown=unknown)
    await swept(url, policy)
    governed(app, policy)
    async with client_of(app, headers) as client:
        answer = (
            await client.post(DECISIONS, json=ask(1, 100, shop_id=shop, category_id="C-unheard"))
        ).json()
    assert failed(answer) == codes
    ((kept,),) = await rows(url, "SELECT record FROM decisions")
    assert b'"shop_evidence":{"late_ship_rate":' in kept


async def test_what_sweeps_change_is_counted_in_the_metrics_of_the_service(
    app: FastAPI, headers: dict[str, str], add: Add, url: str
) -> None:
    async with client_of(app, headers) as client:
        before = (await client.get("/metrics")).text
        assert "buyer_tier_sweep_finished_timestamp_seconds" not in before
        for n in range(2):
            await add([event(f"bad-{n}", f"bad-{n}", "abuse_confirmed", ASKED_AT, reason="a test")])
            await swept(url, 'version = "x"')
        text = (await client.get("/metrics")).text
    changed = '{from_state="new",rule="abuse_confirmed",to_state="revoked"} 2.0'
    assert f"buyer_tier_sweep_standing_changes_total{changed}" in text
    ended = float(text.split("\nbuyer_tier_sweep_finished_timestamp_seconds ")[1].split()[0])
    assert abs(ended - time.time()) < 3600


async def test_of_a_sweep_that_was_broken_off_exactly_what_it_moved_is_counted(
    app: FastAPI, headers: dict[str, str], add: Add, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add([event(f"e-{n}", f"bad-{n}", "abuse_confirmed", ASKED_AT, reason="a test") for n in range(5)])
    monkeypatch.setattr("serving.sweeping.BUYERS_AT_ONCE", 2)

    class Away(list[tuple[int, int]]):
        def append(self, step: tuple[int, int]) -> None:
            if step[0] == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await swept(url, 'version = "x"', seen=Away())
    moved = await rows(url, "SELECT count(*) FROM standing_transitions")
    async with client_of(app, headers) as client:
        text = (await client.get("/metrics")).text
        assert (
            'sweep_standing_changes_total{from_state="new",rule="abuse_confirmed",to_state="revoked"} 4.0'
            in text
        )
        assert "buyer_tier_sweep_finished_timestamp_seconds" not in text
        assert moved == [(4,)]
        assert (await swept(url, 'version = "x"'))["transitions"] == 1
        text = (await client.get("/metrics")).text
    assert 'rule="abuse_confirmed",to_state="revoked"} 5.0' in text
