"""A kept history gives the features of the whole log to the bit, whatever arrives and in whichever order."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from features.online import rows_vector
from serving.histories import Known, known_of
from serving.store import events as event_store
from serving.store import profiles
from serving.store.migrate import migrate
from tests.serving.conftest import Add
from tests.serving.deciding import decided, run
from tests.serving.scenes import ASKED_AT, event, good_history, table
from tests.serving.test_verify import asked

DAY = timedelta(days=1)
BUYERS = ("good", "wife", "son", "nobody")


@pytest.fixture
async def connection(url: str) -> Any:
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def look(connection: Any, as_of: datetime, *buyers: str, keep: bool = True) -> list[bool]:
    """Compare every buyer with the log; say whose profile was enough."""
    found = await profiles.read(connection, buyers)
    known = await known_of(connection, [(buyer, as_of) for buyer in buyers], found)
    for buyer, one in zip(buyers, known, strict=True):
        rows = await event_store.rows(connection, buyer, as_of)
        assert isinstance(one, Known)
        assert one.vector.tobytes() == rows_vector(rows, buyer_id=buyer, as_of=as_of).tobytes(), buyer
    if keep:
        await profiles.save(connection, [one.keep for one in known if isinstance(one, Known) and one.keep])
    return [
        profile.packed is not None and not profile.changed and (one.keep is None or one.keep.links is None)
        for profile, one in zip(found, known, strict=True)
    ]


def linked(event_id: str, buyer_id: str, at: datetime, *, value: str = "home") -> dict[str, Any]:
    return event(event_id, buyer_id, "identity_linked", at, link_type="device", link_value=value)


def paid(event_id: str, at: datetime, **columns: Any) -> dict[str, Any]:
    order = {"order_id": f"O-{event_id}", "shop_id": "S-9", "amount_fen": 700}
    return event(event_id, "good", "order_paid", at, **order | columns)


async def test_what_was_read_once_is_not_read_again(connection: Any, add: Add) -> None:
    await add(good_history())
    assert await look(connection, ASKED_AT, "good", "nobody") == [False, False]
    assert await look(connection, ASKED_AT, "good", "nobody") == [True, True]


async def test_a_new_event_is_folded_in(connection: Any, add: Add) -> None:
    await add(good_history())
    await look(connection, ASKED_AT, "good")
    await add([paid("new", ASKED_AT + DAY)])
    later = ASKED_AT + 2 * DAY
    assert await look(connection, later, "good") == [True]
    (found,) = await profiles.read(connection, ["good"])
    assert found.tail is None


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([paid("late", ASKED_AT - 50 * DAY)], id="an event recorded long ago"),
        pytest.param([linked("l2", "wife", ASKED_AT - 2 * DAY)], id="another account on the link"),
        pytest.param(
            [linked("l2", "wife", ASKED_AT - 20 * DAY), linked("l3", "wife", ASKED_AT - 30 * DAY)],
            id="an account that was there before",
        ),
        pytest.param([linked("l4", "good", ASKED_AT - DAY, value="flat")], id="a link of the buyer's own"),
        pytest.param([event("a", "son", "abuse_confirmed", ASKED_AT - DAY)], id="a verdict on one of them"),
    ],
)
async def test_what_changes_the_past_is_read_from_the_log(
    connection: Any, add: Add, rows: list[dict[str, Any]]
) -> None:
    home = [linked("l0", "good", ASKED_AT - 9 * DAY), linked("l1", "son", ASKED_AT - 8 * DAY)]
    await add([*good_history(), *home, linked("f", "uncle", ASKED_AT - 9 * DAY, value="flat")])
    await look(connection, ASKED_AT, "good")
    await add(rows)
    assert await look(connection, ASKED_AT, "good") == [False]
    assert await look(connection, ASKED_AT, "good") == [True]


async def test_an_event_of_a_known_link_again_is_folded_in(connection: Any, add: Add) -> None:
    await add([*good_history(), linked("l0", "good", ASKED_AT - 9 * DAY)])
    await look(connection, ASKED_AT, "good")
    await add([linked("l1", "good", ASKED_AT - DAY)])
    assert await look(connection, ASKED_AT, "good") == [True]


async def test_a_request_that_looks_back_reads_the_log_and_keeps_nothing(connection: Any, add: Add) -> None:
    await add(good_history())
    await look(connection, ASKED_AT, "good")
    before = tuple(await connection.fetchrow("SELECT packed, seen FROM buyer_profiles"))
    await look(connection, ASKED_AT - 80 * DAY, "good")
    assert tuple(await connection.fetchrow("SELECT packed, seen FROM buyer_profiles")) == before


async def test_an_event_recorded_after_the_request_waits_for_a_later_one(connection: Any, add: Add) -> None:
    await add(good_history())
    await look(connection, ASKED_AT, "good")
    await add([paid("now", ASKED_AT - DAY), paid("then", ASKED_AT)])
    for as_of in (ASKED_AT, ASKED_AT, ASKED_AT + DAY, ASKED_AT + DAY):
        assert await look(connection, as_of, "good") == [True]


async def test_an_event_of_a_transaction_that_ends_later_is_not_missed(
    connection: Any, add: Add, url: str
) -> None:
    """The older transaction commits after the profile was kept by a younger snapshot."""
    await add([*good_history(), linked("l0", "good", ASKED_AT - 9 * DAY)])
    other = await asyncpg.connect(url)
    transaction = other.transaction()
    await transaction.start()
    slow = [paid("slow", ASKED_AT - DAY), linked("l1", "wife", ASKED_AT - DAY)]
    await event_store.append(other, table(slow))
    await add([paid("quick", ASKED_AT - 2 * DAY)])
    await look(connection, ASKED_AT, "good")
    await transaction.commit()
    assert await look(connection, ASKED_AT, "good") == [False]
    await other.close()


async def test_profiles_of_another_database_are_forgotten(connection: Any, add: Add, url: str) -> None:
    await add(good_history())
    await look(connection, ASKED_AT, "good")
    migrate(url)
    assert await look(connection, ASKED_AT, "good") == [True]
    await connection.execute("UPDATE profiles_made_in SET database = 'elsewhere'")
    migrate(url)
    assert await look(connection, ASKED_AT, "good") == [False]


async def test_rows_of_another_database_restored_into_a_migrated_one_are_forgotten_once(
    connection: Any, add: Add, url: str
) -> None:
    await add(good_history())
    await look(connection, ASKED_AT, "good")
    await connection.execute("INSERT INTO profiles_made_in VALUES ('elsewhere')")
    migrate(url)
    assert await look(connection, ASKED_AT, "good") == [False]
    migrate(url)
    assert await look(connection, ASKED_AT, "good") == [True]


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_arrives_in_whatever_order_the_bytes_are_those_of_the_log(
    connection: Any, add: Add, seed: int
) -> None:
    draw = random.Random(seed)
    rows = [row for buyer in BUYERS[:3] for row in good_history(buyer)]
    rows += [linked(f"l{n}", draw.choice(BUYERS[:3]), ASKED_AT - draw.randrange(60) * DAY) for n in range(4)]
    kinds = ("abuse_confirmed", "abuse_cleared")
    rows += [
        event(f"v{n}", draw.choice(BUYERS[:3]), draw.choice(kinds), ASKED_AT - draw.randrange(60) * DAY)
        for n in range(4)
    ]
    for n in range(12):
        at = ASKED_AT - draw.randrange(90) * DAY
        own = paid(f"p{n}", at, order_id=f"O{draw.randrange(4)}", occurred_at=at - draw.randrange(3) * DAY)
        rows.append(own | {"buyer_id": draw.choice(BUYERS[:3])})
    order = sorted(rows, key=lambda row: row["recorded_at"])
    if seed % 2:
        draw.shuffle(order)
    enough = []
    while order:
        size = draw.randrange(1, 9)
        now, order = order[:size], order[size:]
        await add(now)
        latest = max(row["recorded_at"] for row in now) + timedelta(microseconds=draw.randrange(3))
        enough += await look(connection, draw.choice((latest, ASKED_AT, ASKED_AT + DAY)), *BUYERS)
    await add(rows)  # all of them again: those stored already change nothing
    enough += await look(connection, ASKED_AT, *BUYERS)
    assert any(enough)
    assert not all(enough)


def test_the_service_keeps_what_it_has_read(url: str) -> None:
    decided(url, [asked()], log=table(good_history()), at=ASKED_AT + timedelta(seconds=1))
    ((packed,),) = run(url, "SELECT packed FROM buyer_profiles WHERE buyer_id = 'good'")
    assert packed
