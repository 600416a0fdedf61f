"""Where records are chained: each transaction takes a chain that nobody else is writing to and extends it.

Chains are numbered by month and lane, as 2026110003: the third of those that were written to at one time in
November 2026. A free one is found by its row, which the transaction locks until it ends; so writers never
wait for one another, and what is not committed is in no chain. The database moves the row on as records come
in, and refuses any that do not follow.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from decisions.chain import Head, Linked, digest, genesis, link

if TYPE_CHECKING:
    from .database import Connection

LANES: Final = 10_000
"""Numbers of a month."""
MONTH: Final = f"(to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')::bigint * {LANES})"
"""By the database's clock: chains are the same whatever a service takes for the time."""
FREE: Final = f"""
SELECT chain, place, hash FROM chains WHERE chain > {MONTH} AND chain < {MONTH} + {LANES}
"""
LOCKED: Final = "ORDER BY chain LIMIT 1 FOR UPDATE SKIP LOCKED"
TAKE: Final = f"{FREE} {LOCKED}"
OPEN: Final = f"""
INSERT INTO chains (chain, place, hash)
SELECT coalesce(max(chain), {MONTH}) + 1, 0, '' FROM chains
WHERE chain > {MONTH} AND chain < {MONTH} + {LANES} ON CONFLICT DO NOTHING
"""
LINK: Final = ("chain", "place", "hash")
"""Columns of every table whose rows are chained."""
CHAINED: Final = {
    "decisions": (
        *("decision_id", "after_sale_id", "request_digest", "buyer_id", "order_id", "shop_id", "outcome"),
        *("refund_amount_fen", "score", "p_abuse", "tier", "standing", "model_version", "catalog_version"),
        *("policy_version", "propensity", "vector", "record", "answer", "requested_at", "decided_at"),
    ),
    "standing_transitions": ("buyer_id", "version", "at", "appeal", "event"),
    "policies": ("version", "content_id", "text", "proposed_by", "proposer", "proposed_at"),
    "policy_activations": (
        *("activation_id", "action", "version", "starts_at", "made_by", "maker", "made_at", "reason"),
    ),
}
"""The columns of each table that make the record, in order. What is left out says how this database stored a
row, not what was decided."""
_encode: Final = msgspec.msgpack.Encoder().encode


def canonical(table: str, values: Sequence[Any]) -> bytes:
    """Write a record as it is hashed: MessagePack, an array of the table's name and its columns' values.

    Instants are MessagePack's timestamps, so the zone they were written in does not matter.
    """
    return _encode((table, *values))


def name_of(chain: int) -> str:
    """Name a chain, the partition of `decisions.chain`, as ``2026-11/3``."""
    month, lane = divmod(chain, LANES)
    return f"{month // 100:04d}-{month % 100:02d}/{lane}"


def number_of(name: str) -> int | None:
    """Read what `name_of` wrote; None if it is no such name."""
    year, _, rest = name.partition("-")
    month, _, lane = rest.partition("/")
    if not all(part.isascii() and part.isdigit() for part in (year, month, lane)):
        return None
    number = (int(year) * 100 + int(month)) * LANES + int(lane)
    return number if name_of(number) == name else None


class Lane:
    """A chain that the transaction holds, and how far it has come with what is about to be written."""

    __slots__ = ("chain", "hash", "place")

    def __init__(self, chain: int, place: int, hash: bytes) -> None:
        self.chain, self.place = chain, place
        self.hash = hash if place else genesis(name_of(chain))

    def chained(self, table: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Link a record on, and give its values with those of `LINK` after them."""
        self.place += 1
        self.hash = link(self.hash, digest(_encode((table, *values))), place=self.place)
        return (*values, self.chain, self.place, self.hash)


async def take(connection: Connection) -> Lane:
    """Take a chain that is free, or begin another, until the transaction ends."""
    while (row := await connection.fetchrow(TAKE)) is None:
        await connection.execute(OPEN)  # whoever else opened it, it may be free by now
    return Lane(*row)


@dataclass(frozen=True, slots=True)
class Found:
    """A stored record as verification reads it."""

    table: str
    key: str
    linked: Linked


async def heads(connection: Connection) -> dict[int, Head | None]:
    """Read every chain's head; None for one that only records name."""
    named = " UNION ".join(f"SELECT DISTINCT chain FROM {table}" for table in CHAINED)
    rows = await connection.fetch(
        f"SELECT chain, c.place, c.hash FROM ({named} UNION SELECT chain FROM chains) AS n "
        "LEFT JOIN chains AS c USING (chain) ORDER BY chain"
    )
    return {chain: None if place is None else Head(place, hash) for chain, place, hash in rows}


async def records(connection: Connection, chain: int) -> AsyncIterator[Found]:
    """Give a chain's records of all tables by their place, inside a transaction."""
    streams = [_stream(connection, table, chain) for table in CHAINED]
    ahead = [(found, stream) for stream in streams if (found := await anext(stream, None)) is not None]
    while ahead:
        i = min(range(len(ahead)), key=lambda i: ahead[i][0].linked.place)
        found, stream = ahead[i]
        yield found
        following = await anext(stream, None)
        if following is None:
            del ahead[i]
        else:
            ahead[i] = following, stream


async def _stream(connection: Connection, table: str, chain: int) -> AsyncIterator[Found]:
    columns = CHAINED[table]
    query = f"SELECT {', '.join((*columns, 'place', 'hash'))} FROM {table} WHERE chain = $1 ORDER BY place"
    async for row in connection.cursor(query, chain, prefetch=500):
        *values, place, hash = row
        key = "/".join(map(str, values[:2])) if table == "standing_transitions" else str(values[0])
        yield Found(table, key, Linked(place, digest(canonical(table, values)), hash))


async def hash_before(connection: Connection, chain: int, place: int) -> bytes:
    """Give the hash that a place of a chain was linked on to; nothing if the record before is not there."""
    if place == 1:
        return genesis(name_of(chain))
    before = " UNION ALL ".join(
        f"SELECT hash FROM {table} WHERE chain = $1 AND place = $2" for table in CHAINED
    )
    return bytes(await connection.fetchval(before, chain, place - 1) or b"")
