"""A hash chain over stored records: whoever alters, drops or moves one is found.

Each partition is a chain of its own. The hash of a record covers its place, its bytes and the hash before
it. A chain whose end was cut off is whole in itself, so the last place and hash must be known from elsewhere
to notice it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

HASH_BYTES: Final = 32
_DOMAIN: Final = b"buyer-tier chain 1\0"

Fault = Literal["altered", "missing", "reordered"]


@dataclass(frozen=True, slots=True)
class Linked:
    """A stored record: its place in the chain from 1, its bytes, the hash stored with it."""

    place: int
    record: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place at which a chain does not hold, and what was found there."""

    place: int
    fault: Fault
    detail: str


def genesis(partition: str) -> bytes:
    """Give the hash before a partition's first record; chains of two partitions cannot be exchanged."""
    return hashlib.sha256(_DOMAIN + partition.encode()).digest()


def link(previous: bytes, record: bytes, *, place: int) -> bytes:
    """Hash a record onto the chain.

    Parameters
    ----------
    previous : bytes
        The hash before, or `genesis`; 32 bytes.
    record : bytes
        What is stored, to the byte.
    place : int
        From 1, one more than the record's before.
    """
    head = place.to_bytes(8, "big") + len(record).to_bytes(8, "big")
    return hashlib.sha256(previous + head + record).digest()


def verify(records: Iterable[Linked], *, partition: str, head: Linked | None = None) -> Broken | None:
    """Find the first fault of a chain; None when it is whole.

    Parameters
    ----------
    records : iterable of Linked
        From the first place on, in the order in which they are stored; read once.
    head : Linked, optional
        The last record as it is known from elsewhere; its bytes are not looked at.
    """
    previous, expected = genesis(partition), 1
    rest = iter(records)
    for found in rest:
        if found.place != expected:
            return _misplaced(found, expected, rest)
        if found.hash != link(previous, found.record, place=expected):
            return Broken(expected, "altered", "the record or its hash is not what was written")
        previous, expected = found.hash, expected + 1
    return _against_head(head, last=expected - 1, last_hash=previous)


def _misplaced(found: Linked, expected: int, rest: Iterator[Linked]) -> Broken:
    if found.place < expected:
        return Broken(found.place, "reordered", f"it comes again or late, after place {expected - 1}")
    if any(later.place == expected for later in rest):
        return Broken(expected, "reordered", f"place {found.place} comes before it")
    return Broken(expected, "missing", f"place {found.place} comes in its stead")


def _against_head(head: Linked | None, *, last: int, last_hash: bytes) -> Broken | None:
    if head is None or (head.place, head.hash) == (last, last_hash):
        return None
    if head.place > last:
        return Broken(
            last + 1, "missing", f"the chain ends at place {last}, its head is known at {head.place}"
        )
    return Broken(min(head.place + 1, last), "altered", f"it does not end as its known head at {head.place}")
