"""A database of the release before policies and standings is brought forward with its rows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import pytest
import sqlalchemy as sa
from alembic import command

from decisions.policy_file import parse
from models.deciding import record
from serving import auditing
from serving.auditing import Followed
from serving.champion import Champion
from serving.policies import Policies
from serving.service import Decided, DecisionService
from serving.store import events as event_store
from serving.store.database import Database
from serving.store.migrate import _config, _sqlalchemy_url, migrate
from serving.sweeping import verify
from tests.serving.scenes import ASKED_AT, NOW, FakeModels, event, good_history, table
from tests.serving.test_verify import asked

OLD = """
INSERT INTO decisions (decision_id, after_sale_id, request_digest, buyer_id, order_id, shop_id, outcome,
    refund_amount_fen, score, p_abuse, tier, standing, model_version, catalog_version, policy_version,
    propensity, vector, record, answer, requested_at, decided_at)
VALUES ('019ca9b2-0000-7000-8000-000000000000', 'AS-old', $1, 'good', 'O-old', 'S-1', 'auto_refund', 12900,
    800, 0.01, 'quality', 'eligible', '7', 'c', 'notice-2023-09-06', 1, '', '{}', '{"old": 1}', $2, $2)
"""


@pytest.fixture
def older(url: str) -> str:
    """A database as the release before left it, with a decision and a confirmed abuser."""
    older = url.replace("/postgres?", "/before_policies?")
    rows = [*good_history(), *good_history("bad")]
    rows.append(event("v", "bad", "abuse_confirmed", ASKED_AT - timedelta(days=1)))

    async def made() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute("DROP DATABASE IF EXISTS before_policies")
        await connection.execute("CREATE DATABASE before_policies")
        await connection.close()

    async def filled() -> None:
        connection = await asyncpg.connect(older)
        async with connection.transaction():
            await event_store.append(connection, table(rows))
            digest = record.digest(asked("AS-old"), dated=True)
            await connection.execute(OLD, digest, ASKED_AT - timedelta(hours=1))
        await connection.close()

    asyncio.run(made())
    engine = sa.create_engine(_sqlalchemy_url(older), poolclass=sa.NullPool)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    asyncio.run(filled())
    return older


async def _followed(url: str) -> list[Followed]:
    database = Database(url, size=1, timeout=20)
    await database.open()
    try:
        return await auditing.verify(database, known={})
    finally:
        await database.close()


async def _decided(url: str) -> tuple[list[Decided], tuple[int, list[tuple[str, str]]]]:
    database, champion = Database(url, size=2, timeout=20), Champion(FakeModels(), poll_seconds=60)
    await database.open()
    champion.refresh()
    policy = parse('version = "c"\n[caps]\nrefunds_per_7_days = 1\n', source="test")
    service = DecisionService(database=database, champion=champion, policies=Policies(policy))
    made = [
        await service.decide(one, digest=record.digest(one, dated=True), decided_at=NOW)
        for one in (asked("AS-old"), asked("AS-new"), asked("AS-bad", "bad"))
    ]
    found = await verify(database)
    await database.close()
    return made, found


def test_decisions_are_kept_count_towards_caps_and_what_was_known_of_buyers_is_heard(older: str) -> None:
    migrate(older)
    (old, new, bad), verified = asyncio.run(_decided(older))
    assert (old.created, old.row.answer) == (False, b'{"old": 1}')
    assert (new.created, new.failed_rule) == (True, "caps")
    assert (bad.row.standing, bad.failed_rule) == ("revoked", "standing")
    assert verified == (1, [])


def test_decisions_of_before_are_sealed_in_a_chain_of_their_own_and_new_ones_follow_in_another(
    older: str,
) -> None:
    migrate(older)
    asyncio.run(_decided(older))
    sealed, *others = asyncio.run(_followed(older))
    assert (sealed.partition.endswith("/0"), dict(sealed.records)) == (True, {"decisions": 1})
    assert [one.broken for one in (sealed, *others)] == [None] * (1 + len(others))
    assert sum(one.records["decisions"] for one in others) == 2
    assert asyncio.run(_altered(older)) == "altered"


async def _altered(url: str) -> str | None:
    connection = await asyncpg.connect(url)
    await connection.execute("SET buyer_tier.erasing = 'on'")
    await connection.execute("UPDATE decisions SET score = 801 WHERE after_sale_id = 'AS-old'")
    await connection.close()
    broken = (await _followed(url))[0].broken
    return None if broken is None else broken.fault
