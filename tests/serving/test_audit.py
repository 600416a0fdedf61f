"""Every record altered, missing, moved, forged or cut off is found, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from fastapi import FastAPI

from decisions.chain import digest, genesis, link
from features.errors import BadInput
from serving import auditing
from serving.auditing import Followed
from serving.store import chains
from serving.store.database import Database
from tests.serving.conftest import Add
from tests.serving.scenes import ASKED_AT, NOW, event, request

DECISIONS = "/v1/refund-decisions"
ONLY = "notice-1"
TEXT = f'version = "{ONLY}"\n[standing]\nwatch_below_score = 900.0\n'
FORGED: dict[str, str] = {
    "text": "coalesce({0}, '') || 'x'",
    "bytea": "{0} || '\\x20'::bytea",
    "bigint": "{0} + 1",
    "double precision": "{0} + 0.001",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 microsecond'",
}
Check = Callable[..., Awaitable[list[Followed]]]


@pytest.fixture
async def recorded(
    client: httpx.AsyncClient, app: FastAPI, url: str, make_key: Any, add: Add
) -> AsyncIterator[asyncpg.Connection]:
    """Twelve decisions, a standing that moved, a policy and its activation; a forger's connection."""
    await add([event("v1", "bad", "abuse_confirmed", ASKED_AT)])
    boss = {"Authorization": f"Bearer {await make_key('policy:activate')}"}
    assert (await client.post("/v1/policies", json={"text": TEXT})).status_code == 201
    connection = await asyncpg.connect(url)
    await connection.execute("UPDATE api_keys SET name = 'boss' WHERE scopes = '{policy:activate}'")
    made = await client.post(f"/v1/policies/{ONLY}/activation", json={"reason": "test"}, headers=boss)
    assert made.status_code == 201, made.text
    for n in range(12):
        buyer = "bad" if n == 5 else "good"
        asked = request(after_sale_id=f"AS-{n}", order_id=f"O-{n}", buyer_id=buyer)
        assert (await client.post(DECISIONS, json=asked)).status_code == 201
    await connection.execute("SET session_replication_role = replica")  # one who may do anything
    yield connection
    await connection.close()


async def faults(
    connection: asyncpg.Connection, *tampering: str, known: dict[int, Any] | None = None
) -> list[tuple[int, str]]:
    """Tamper, follow all chains, and take it back; give place and fault of those that are broken."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in tampering:
            assert await connection.execute(statement) not in ("UPDATE 0", "DELETE 0", "INSERT 0 0"), (
                statement
            )
        found = await auditing.follow_all(connection, known=known or {})
        return [(one.broken.place, one.broken.fault) for one in found if one.broken is not None]
    finally:
        await transaction.rollback()


async def kept(connection: asyncpg.Connection) -> dict[int, Any]:
    return {chain: head for chain, head in (await chains.heads(connection)).items() if head}


async def test_what_was_written_is_whole_and_of_every_kind(recorded: asyncpg.Connection) -> None:
    async with recorded.transaction():
        found = await auditing.follow_all(recorded, known=await kept(recorded))
    assert [one.broken for one in found] == [None]
    assert found[0].records.keys() == chains.CHAINED.keys()
    assert found[0].records["decisions"] == 12
    assert found[0].checked == (found[0].records.total(),)


async def test_every_column_altered_is_found(recorded: asyncpg.Connection) -> None:
    for table, columns in chains.CHAINED.items():
        types = dict(
            await recorded.fetch(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = $1", table
            )
        )
        place = await recorded.fetchval(f"SELECT max(place) FROM {table}")
        for column in columns:
            value = "'stop'" if column == "action" else FORGED[types[column]].format(column)
            altered = f"UPDATE {table} SET {column} = {value} WHERE place = {place}"
            assert await faults(recorded, altered) == [(place, "altered")], (table, column)
        assert set(columns) | {*chains.LINK} <= types.keys()
        left_out = types.keys() - {*columns, *chains.LINK}
        assert left_out == {"decisions": {"arrival", "seen"}, "standing_transitions": {"written_at"}}.get(
            table, set()
        ), "what is not covered is said in docs/audit.md"


async def test_rows_deleted_swapped_doubled_and_forged_are_found(recorded: asyncpg.Connection) -> None:
    last = await recorded.fetchval("SELECT max(place) FROM decisions")
    for table in chains.CHAINED:
        place = await recorded.fetchval(f"SELECT min(place) FROM {table}")
        gone = f"DELETE FROM {table} WHERE place = {place}"
        assert await faults(recorded, gone) == [(place, "missing")], table
    swapped = (
        "DROP INDEX decisions_in_chain",
        f"UPDATE decisions SET place = {last - 2} + {last} - place WHERE place IN ({last - 2}, {last})",
    )
    assert await faults(recorded, *swapped) == [(last - 2, "altered")]
    with_hashes = (
        "CREATE TEMP TABLE old AS SELECT place, hash FROM decisions",
        *swapped,
        "UPDATE decisions AS d SET hash = old.hash FROM old WHERE old.place = d.place",
    )
    assert await faults(recorded, *with_hashes) == [(last - 2, "altered")]
    doubled = f"UPDATE decisions SET place = {last - 1} WHERE place = {last}"
    assert await faults(recorded, "DROP INDEX decisions_in_chain", doubled) == [(last - 1, "reordered")]


async def appended(connection: asyncpg.Connection) -> tuple[int, int, bytes]:
    """Forge a decision after the last, with a hash that is right."""
    columns = chains.CHAINED["decisions"]
    row = await connection.fetchrow("SELECT * FROM decisions ORDER BY place DESC LIMIT 1")
    values = [*(f"forged {row[c]}" if c.endswith("_id") else row[c] for c in columns)]
    place = row["place"] + 1
    hash = link(row["hash"], digest(chains.canonical("decisions", values)), place=place)
    names = ", ".join((*columns, *chains.LINK))
    marks = ", ".join(f"${n}" for n in range(1, len(columns) + 4))
    await connection.execute(
        f"INSERT INTO decisions ({names}) VALUES ({marks})", *values, row["chain"], place, hash
    )
    return row["chain"], place, hash


async def test_a_forged_record_at_the_end_is_found_by_the_head_and_with_it_edited_by_kept_ones(
    recorded: asyncpg.Connection,
) -> None:
    before = await kept(recorded)
    transaction = recorded.transaction()
    await transaction.start()
    chain, place, hash = await appended(recorded)
    assert await faults(recorded) == [(place, "altered")]
    edited = f"UPDATE chains SET place = {place}, hash = '\\x{hash.hex()}' WHERE chain = {chain}"
    assert await faults(recorded, edited) == [], "only whoever can hash a record on can do this"
    assert await faults(recorded, edited, known=before) == []
    after = {chain: type(before[chain])(place, hash)}
    await transaction.rollback()
    assert await faults(recorded, known=after) == [(place, "missing")]


async def test_an_end_cut_off_with_the_head_edited_is_found_only_by_heads_kept_elsewhere(
    recorded: asyncpg.Connection,
) -> None:
    known = await kept(recorded)
    ((_, head),) = known.items()
    cut = f"DELETE FROM decisions WHERE place = {head.place}"
    assert await faults(recorded, cut) == [(head.place, "missing")]
    edited = (
        cut,
        f"UPDATE chains SET place = {head.place - 1}, hash = (SELECT hash FROM decisions "
        f"WHERE place = {head.place - 1})",
    )
    assert await faults(recorded, *edited) == []
    assert await faults(recorded, *edited, known=known) == [(head.place, "missing")]
    assert await faults(recorded, "DELETE FROM chains") == [(head.place, "missing")]
    everything = ("DELETE FROM chains", *(f"DELETE FROM {table}" for table in chains.CHAINED))
    assert await faults(recorded, *everything) == []
    assert await faults(recorded, *everything, known=known) == [(1, "missing")]


async def test_a_chain_written_anew_is_found_only_by_heads_kept_elsewhere(
    recorded: asyncpg.Connection,
) -> None:
    known = await kept(recorded)
    ((chain, _),) = known.items()
    found = [one async for one in _records(recorded, chain)]
    statements = ["UPDATE decisions SET outcome = 'manual_review' WHERE outcome = 'auto_refund'"]
    transaction = recorded.transaction()
    await transaction.start()
    await recorded.execute(statements[0])
    previous = genesis(chains.name_of(chain))
    async for one in chains.records(recorded, chain):
        previous = link(previous, one.linked.digest, place=one.linked.place)
        statements.append(
            f"UPDATE {one.table} SET hash = '\\x{previous.hex()}' WHERE place = {one.linked.place}"
        )
    await transaction.rollback()
    statements.append(f"UPDATE chains SET hash = '\\x{previous.hex()}'")
    assert len(statements) == len(found) + 2
    assert await faults(recorded, *statements) == []
    assert await faults(recorded, *statements, known=known) == [(len(found), "altered")]


async def _records(connection: asyncpg.Connection, chain: int) -> AsyncIterator[Any]:
    async with connection.transaction():
        async for one in chains.records(connection, chain):
            yield one


@pytest.mark.parametrize(
    "change",
    ["UPDATE {0} SET place = place", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"],
)
@pytest.mark.parametrize("table", chains.CHAINED)
async def test_records_are_neither_changed_nor_deleted_but_by_who_says_that_it_erases(
    recorded: asyncpg.Connection, change: str, table: str
) -> None:
    await recorded.execute("SET session_replication_role = origin")
    with pytest.raises(asyncpg.RaiseError, match="never changed nor deleted"):
        await recorded.execute(change.format(table))
    async with recorded.transaction():
        await recorded.execute("SET CONSTRAINTS ALL DEFERRED; SET LOCAL buyer_tier.erasing = 'on'")
        if not (table == "policies" and change.startswith("DELETE")):  # whose activations name them
            await recorded.execute(change.format(table))


async def test_a_record_that_does_not_follow_the_head_is_refused(recorded: asyncpg.Connection) -> None:
    await recorded.execute("SET session_replication_role = origin")
    row = await recorded.fetchrow("SELECT max(chain) AS chain, max(place) AS place FROM chains")
    add = "INSERT INTO policies VALUES ('v', '', '', '', '', now(), $1, $2, '')"
    for chain, place in ((row["chain"], row["place"] + 2), (row["chain"], row["place"]), (7, 1)):
        with pytest.raises(asyncpg.PostgresError, match=r"do not follow|duplicate key"):
            await recorded.execute(add, chain, place)


async def test_groups_at_once_take_chains_of_their_own_and_a_failed_one_leaves_no_gap(
    client: httpx.AsyncClient, app: FastAPI, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.store import decisions as store

    failed, add = 0, store.add

    async def failing(connection: Any, rows: Any, lane: Any) -> None:
        nonlocal failed
        await add(connection, rows, lane)
        if len(rows) > 1 and failed < 2:
            failed += 1
            raise RuntimeError("after the rows are written")

    monkeypatch.setattr(store, "add", failing)
    bodies = [request(after_sale_id=f"AS-{n}", order_id=f"O-{n}", buyer_id=f"B-{n}") for n in range(150)]
    answers = await asyncio.gather(*(client.post(DECISIONS, json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    assert failed == 2
    found = await verified(url)
    assert sum(one.records["decisions"] for one in found) == 150
    assert [one.broken for one in found] == [None] * len(found)
    assert len([one for one in found if one.records]) <= 3  # two groups at once; one may open a lane too many
    again = await asyncio.gather(*(client.post(DECISIONS, json=body) for body in bodies[:20]))
    assert {answer.status_code for answer in again} == {200}
    assert sum(one.records["decisions"] for one in await verified(url)) == 150


async def test_who_writes_at_the_same_time_never_waits_for_a_chain(url: str) -> None:
    one, other, third = [await asyncpg.connect(url, command_timeout=2) for _ in range(3)]
    async with one.transaction():
        assert (await chains.take(one)).chain % chains.LANES == 1
    async with one.transaction(), other.transaction(), third.transaction():
        lanes = [(await chains.take(connection)).chain % chains.LANES for connection in (one, other)]
        assert lanes == [1, 2]
        with pytest.raises(TimeoutError):  # only a number that is just being given is waited for
            await chains.take(third)
    for connection in (one, other, third):
        await connection.close()


async def verified(url: str, **how: Any) -> list[Followed]:
    database = Database(url, size=2, timeout=10)
    await database.open()
    try:
        return await auditing.verify(database, **{"known": {}, **how})
    finally:
        await database.close()


async def test_one_partition_can_be_asked_for_and_one_that_is_not_there_is_named(
    recorded: asyncpg.Connection, url: str
) -> None:
    (chain,) = await kept(recorded)
    (one,) = await verified(url, only=chains.name_of(chain))
    assert (one.partition, one.broken) == (chains.name_of(chain), None)
    for wrong in ("2026-11/99", "x", "2026-13", ""):
        with pytest.raises(BadInput, match=f"the newest are {one.partition}"):
            await verified(url, only=wrong)


async def test_heads_are_read_back_and_anything_else_is_refused(
    recorded: asyncpg.Connection, url: str
) -> None:
    database = Database(url, size=1, timeout=5)
    await database.open()
    printed = json.dumps(await auditing.heads(database, now=NOW)).encode()
    await database.close()
    assert auditing.read_heads(printed, source="f") == await kept(recorded)
    for wrong in (b"", b"[]", b'{"heads": [{"partition": "2026-11/1"}]}', printed.replace(b"2026", b"x")):
        with pytest.raises(BadInput, match="f: "):
            auditing.read_heads(wrong, source="f")


def test_chains_are_named_by_month_and_lane() -> None:
    assert chains.name_of(2026110003) == "2026-11/3"
    assert chains.number_of("2026-11/3") == 2026110003
    assert [chains.number_of(x) for x in ("2026-11/03", "2026-11", "", "a-b/c", "2026-1/3")] == [None] * 5
