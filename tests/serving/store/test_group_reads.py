"""What is read for a group is, for each of its requests, what would be read for it alone."""

from __future__ import annotations

import random
from datetime import timedelta

import asyncpg

from serving.histories import Known, known_of
from serving.store import decisions, profiles
from serving.store.decisions import Asked
from tests.serving.conftest import Add
from tests.serving.scenes import ASKED_AT, event, good_history

BUYERS = [f"buyer-{n}" for n in range(64)]


async def test_each_of_a_group_gets_what_it_would_get_alone(add: Add, url: str) -> None:
    rows = [row for n, buyer in enumerate(BUYERS) for row in good_history(buyer, orders=n % 5)]
    rows += [
        event(f"s{n}", BUYERS[n], "order_shipped", ASKED_AT - timedelta(days=60), order_id=f"{BUYERS[n]}-O0")
        for n in range(0, len(BUYERS), 3)
    ]
    await add(rows)
    connection = await asyncpg.connect(url)
    await keep(connection, BUYERS[::2])
    order = random.Random(1).sample(BUYERS, len(BUYERS))
    group = [Asked(f"AS-{buyer}", buyer, f"{buyer}-O0", ASKED_AT) for buyer in order]
    together, _ = await decisions.read(connection, group)
    alone = [(await decisions.read(connection, [one]))[0][0] for one in group]
    assert together == alone
    assert len({(one.order, one.profile.packed) for one in together}) > 8, "they must differ to be told apart"
    instants = [ASKED_AT] * len(order)
    assert await decisions.look(connection, order, instants) == [
        (await decisions.look(connection, [buyer], [ASKED_AT]))[0] for buyer in order
    ]
    await connection.close()


async def keep(connection: asyncpg.Connection, buyers: list[str]) -> None:
    found = await profiles.read(connection, buyers)
    known = await known_of(connection, [(buyer, ASKED_AT) for buyer in buyers], found)
    await profiles.save(connection, [one.keep for one in known if isinstance(one, Known) and one.keep])
