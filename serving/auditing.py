"""Follow every chain of the store, and compare with heads that were kept elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from decisions.chain import Broken, Follower, Head
from features.errors import BadInput

from .store import chains
from .store.chains import name_of, number_of
from .store.database import Database

if TYPE_CHECKING:
    from .store.database import Connection

OnDone = Callable[[int, int], None]
EVERY = 500
"""Records between two signs of progress."""


def _silent(_done: int, _total: int) -> None:
    """Show no progress."""


MOST_FAULTS = 100
"""Of one chain; what is behind them is not looked at."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is broken, and the table and id of the record at which it showed, if there is one."""

    broken: Broken
    key: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """One chain as it was found.

    Attributes
    ----------
    partition : str
    records : Counter
        How many hold, by table.
    faults : tuple of Fault
        In the order of places.
    checked : tuple of int
        Places of the heads kept elsewhere that the chain still has.
    """

    partition: str
    records: Counter[str] = field(default_factory=Counter)
    faults: tuple[Fault, ...] = ()
    checked: tuple[int, ...] = ()

    @property
    def broken(self) -> Broken | None:
        """The first fault."""
        return self.faults[0].broken if self.faults else None


class _KeptHead(msgspec.Struct, forbid_unknown_fields=True):
    partition: str
    place: int
    hash: str


class _KeptHeads(msgspec.Struct):
    heads: list[_KeptHead]


async def heads(database: Database, *, now: datetime) -> dict[str, Any]:
    """Give every chain's head, for an auditor to keep where nobody who can write here can."""
    async with database.connection() as connection:
        found = await chains.heads(connection)
    listed = [
        {"partition": name_of(chain), "place": head.place, "hash": head.hash.hex()}
        for chain, head in found.items()
        if head is not None
    ]
    return {"taken_at": now.isoformat(), "heads": listed}


def read_heads(content: bytes, *, source: str) -> dict[int, Head]:
    """Read what `heads` gave.

    Raises
    ------
    BadInput
        It is something else.
    """
    try:
        kept = msgspec.json.decode(content, type=_KeptHeads).heads
    except msgspec.MsgspecError as error:
        raise BadInput(f"{source}: not a file of `buyer-tier audit heads`: {error}") from error
    found = {}
    for one in kept:
        number, digits = number_of(one.partition), one.hash
        if number is None or one.place < 0 or not _is_hash(digits, one.place):
            raise BadInput(f"{source}: {one.partition!r} at {one.place} is not the head of a chain")
        found[number] = Head(one.place, bytes.fromhex(digits))
    return found


def _is_hash(digits: str, place: int) -> bool:
    return set(digits) <= set("0123456789abcdef") and len(digits) == (64 if place else 0)


async def verify(
    database: Database,
    *,
    known: Mapping[int, Head],
    only: str | None = None,
    progress: OnDone = _silent,
) -> list[Followed]:
    """Follow all chains, or one, as they are at one instant; services go on writing.

    Parameters
    ----------
    known : mapping
        `read_heads`; empty without any.
    only : str, optional
        A partition's name.

    Raises
    ------
    BadInput
        There is no such partition.
    """
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return await follow_all(connection, known=known, only=only, progress=progress)


async def follow_all(
    connection: Connection, *, known: Mapping[int, Head], only: str | None = None, progress: OnDone = _silent
) -> list[Followed]:
    """Do what `verify` does, inside a transaction."""
    found = await chains.heads(connection)
    asked = _asked({*found, *known}, only)
    total = sum(head.place for chain in asked if (head := found.get(chain)) is not None)
    followed: list[Followed] = []
    for chain in asked:
        before = sum(one.records.total() for one in followed)
        follow = _Chain(chain, found.get(chain), [known[chain]] if chain in known else [])
        followed.append(await follow.all(connection, lambda n, b=before: progress(b + n, total)))  # type: ignore[misc]
    progress(total, total)
    return followed


def _asked(chain_numbers: Iterable[int], only: str | None) -> list[int]:
    there = sorted(chain_numbers)
    if only is None:
        return there
    if (number := number_of(only)) not in there:
        names = ", ".join(map(name_of, there[-5:])) or "none"
        raise BadInput(f"there is no partition {only!r}; the newest are {names}")
    return [number]


@dataclass(frozen=True, slots=True)
class _Chain:
    number: int
    head: Head | None
    known: Sequence[Head]

    async def all(self, connection: Connection, progress: Callable[[int], None]) -> Followed:
        partition, counted, faults = name_of(self.number), Counter[str](), list[Fault]()
        follower, seen = Follower(partition, known=self.known), 0
        async for record in chains.records(connection, self.number):
            if (broken := follower.follow(record.linked)) is None:
                counted[record.table] += 1
            else:
                faults.append(Fault(broken, f"{record.table} {record.key}"))
                follower.go_on(record.linked)
            if len(faults) == MOST_FAULTS:
                break
            if (seen := seen + 1) % EVERY == 0:
                progress(seen)
        else:
            if (broken := follower.end(self.head) or self._headless(follower)) is not None:
                faults.append(Fault(broken, None))
        checked = () if faults else tuple(head.place for head in self.known)
        return Followed(partition=partition, records=counted, faults=tuple(faults), checked=checked)

    def _headless(self, follower: Follower) -> Broken | None:
        if self.head is not None or not follower.place:
            return None
        return Broken(follower.place, "missing", "there are records and no head")
