from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import asyncpg
import numpy as np
import pyarrow as pa
import pytest

from features.batch import feature_table
from features.catalog import CATALOG
from features.links import MAX_ACCOUNTS_PER_LINK
from features.online import buyer_vector, rows_vector
from serving.store import events as event_store
from tests.serving.conftest import Add
from tests.serving.scenes import ASKED_AT, event, good_history, table

DAY = timedelta(days=1)


def linked(buyer_id: str, value: str, at: datetime, n: int = 0) -> dict[str, Any]:
    return event(
        f"l-{buyer_id}-{value}-{n}", buyer_id, "identity_linked", at, link_type="device", link_value=value
    )


def neighbourhood() -> list[dict[str, Any]]:
    """Two households, a dormitory, and abusers among them who came before, after and too late to count."""
    rows = [*good_history("good"), linked("good", "home", ASKED_AT - 90 * DAY)]
    rows += [linked("wife", "home", ASKED_AT - 80 * DAY), linked("wife", "home", ASKED_AT - 85 * DAY, 1)]
    rows += [event("a1", "wife", "abuse_confirmed", ASKED_AT - 70 * DAY, reason="x")]
    rows += [event("a2", "wife", "abuse_cleared", ASKED_AT - 20 * DAY)]
    rows += [linked("late", "home", ASKED_AT + DAY), linked("good", "dorm", ASKED_AT - 50 * DAY)]
    rows += [
        linked(f"d{n:03}", "dorm", ASKED_AT - 60 * DAY + timedelta(minutes=n * 37 % 90 // 5))
        for n in range(90)
    ]
    rows += [
        event(f"ad{n}", f"d{n:03}", "abuse_confirmed", ASKED_AT - 40 * DAY) for n in (1, 9, 62, 63, 64, 80)
    ]
    known = {"recorded_at": ASKED_AT - 39 * DAY}
    rows += [event("t1", "d003", "abuse_cleared", ASKED_AT - 40 * DAY) | known]
    rows += [event("t2", "d003", "abuse_confirmed", ASKED_AT - 41 * DAY) | known]
    return [*rows, *awkward("good"), *good_history("wife"), linked("other", "elsewhere", ASKED_AT - DAY)]


def awkward(buyer_id: str) -> list[dict[str, Any]]:
    """Give events without an amount, ones recorded long after they occurred, and several at one moment."""
    at, late = ASKED_AT - 45 * DAY, {"recorded_at": ASKED_AT - 15 * DAY}
    order = {"order_id": f"{buyer_id}-A", "shop_id": "S-2", "category_id": "", "line_count": 2}
    asked = {"stage": "before_shipment", "fault": "buyer", **order}
    return [
        event("w1", buyer_id, "order_paid", at, amount_fen=None, **order),
        event("w3", buyer_id, "refund_requested", at, amount_fen=29_999, **asked),
        event("w2", buyer_id, "refund_granted", at, amount_fen=None, actor="auto", **asked),
        event("w0", buyer_id, "order_shipped", at - DAY, **order) | late,
        event("w4", buyer_id, "order_paid", at - 30 * DAY, amount_fen=2**40, order_id="A-late") | late,
        event("w5", buyer_id, "dispute_closed", at, outcome="merchant", **order) | late,
    ]


@pytest.mark.parametrize("buyer", ["good", "wife", "late", "d000", "d063", "d064", "other", "nobody"])
@pytest.mark.parametrize("days", [-65, -30, 0, 2])
async def test_what_is_read_of_a_buyer_gives_the_features_of_the_whole_log(
    url: str, add: Add, buyer: str, days: int
) -> None:
    rows, as_of = neighbourhood(), ASKED_AT + days * DAY
    await add(rows[::2])
    await add(rows[1::2])
    connection = await asyncpg.connect(url)
    read = await event_store.history(connection, [buyer], as_of)
    one = await event_store.rows(connection, buyer, as_of)
    await connection.close()
    spine = pa.table({"buyer_id": [buyer], "as_of": pa.array([as_of], pa.timestamp("us", tz="UTC"))})
    whole = feature_table(table(rows), spine)
    expected = np.array([whole[name][0].as_py() for name in CATALOG.names], dtype=np.float64)
    assert buyer_vector(read, buyer_id=buyer, as_of=as_of).tobytes() == expected.tobytes()
    assert rows_vector(one, buyer_id=buyer, as_of=as_of).tobytes() == expected.tobytes()
    assert sorted(row["event_id"] for row in one) == sorted(read["event_id"].to_pylist())
    others = {row["buyer_id"] for row in read.to_pylist()} - {buyer}
    assert len(others) <= 2 * MAX_ACCOUNTS_PER_LINK


async def test_buyers_read_together_have_the_features_that_each_has_alone(url: str, add: Add) -> None:
    await add(neighbourhood())
    buyers = ["good", "wife", "d000", "d063", "nobody"]
    connection = await asyncpg.connect(url)
    together = await event_store.history(connection, buyers, ASKED_AT)
    for buyer in buyers:
        alone = await event_store.history(connection, [buyer], ASKED_AT)
        vectors = [buyer_vector(t, buyer_id=buyer, as_of=ASKED_AT) for t in (together, alone)]
        assert vectors[0].tobytes() == vectors[1].tobytes()
    await connection.close()


async def test_an_event_recorded_at_the_instant_itself_is_not_read(url: str, add: Add) -> None:
    await add([*good_history(), linked("good", "home", ASKED_AT - DAY), linked("wife", "home", ASKED_AT)])
    connection = await asyncpg.connect(url)
    for moment, rows in ((ASKED_AT, 9), (ASKED_AT + timedelta(microseconds=1), 10), (ASKED_AT - DAY, 8)):
        assert (await event_store.history(connection, ["good"], moment)).num_rows == rows
    await connection.close()


async def test_a_crowded_link_is_read_by_its_first_accounts_only(url: str, add: Add) -> None:
    crowd = [linked(f"c{n}", "tower", ASKED_AT - DAY + timedelta(seconds=n)) for n in range(3000)]
    again = [linked("c0", "tower", ASKED_AT - DAY + timedelta(hours=1), n) for n in range(1, 2000)]
    await add([*crowd, *again])
    connection = await asyncpg.connect(url)
    read = await event_store.history(connection, ["c2999"], ASKED_AT)
    await connection.close()
    assert read.num_rows == 1 + MAX_ACCOUNTS_PER_LINK


async def test_every_column_comes_back_as_it_was(url: str, add: Add) -> None:
    odd = event("é,\"'\n\\.", "b", "order_paid", ASKED_AT - DAY + timedelta(microseconds=1))
    odd |= {
        "order_id": "",
        "reason": "\\N",
        "amount_fen": 2**63 - 1,
        "line_count": 3,
        "imputed": "a,b",
        "shop_id": "N",
    }
    await add([odd])
    connection = await asyncpg.connect(url)
    read = await event_store.history(connection, ["b"], ASKED_AT)
    await connection.close()
    assert read.equals(table([odd]))
