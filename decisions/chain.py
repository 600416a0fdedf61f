"""A hash chain over stored records: whoever alters, drops or moves one is found.

Each partition is a chain of its own. The hash of a record covers its place, the digest of its bytes and the
hash before it. The digest stands between, so that a record can be erased one day and its digest stay: the
chain still holds, over all that was not erased.

A chain whose end was cut off is whole in itself, so places and hashes must be known from elsewhere to notice
it, or that all of it was written anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

_DOMAIN: Final = b"buyer-tier chain 1\0"

Fault = Literal["altered", "missing", "reordered"]


@dataclass(frozen=True, slots=True)
class Linked:
    """A stored record: its place in the chain from 1, the digest of its bytes, the hash stored with it."""

    place: int
    digest: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """How far a chain had come: the place and the hash of its last record; place 0 has none."""

    place: int
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


def digest(record: bytes) -> bytes:
    """Hash a record, to the byte as it is stored; 32 bytes."""
    return hashlib.sha256(record).digest()


def link(previous: bytes, record_digest: bytes, *, place: int) -> bytes:
    """Hash a record onto the chain.

    Parameters
    ----------
    previous : bytes
        The hash before, or `genesis`; 32 bytes.
    record_digest : bytes
        `digest` of the record; 32 bytes.
    place : int
        From 1, one more than the record's before.
    """
    return hashlib.sha256(previous + place.to_bytes(8, "big") + record_digest).digest()


class Follower:
    """Follows one chain from its first record, in the order in which records are stored.

    Parameters
    ----------
    partition : str
    known : iterable of Head
        Heads that the chain is known from elsewhere to have had.
    """

    def __init__(self, partition: str, *, known: Iterable[Head] = ()) -> None:
        self.place, self.hash = 0, genesis(partition)
        self._known = {head.place: head.hash for head in known if head.place > 0}

    def follow(self, found: Linked) -> Broken | None:
        """Take the next record and tell what is wrong with it, or before it."""
        expected = self.place + 1
        if found.place < expected:
            return Broken(found.place, "reordered", f"it comes again or late, after place {self.place}")
        if found.place > expected:
            return Broken(expected, "missing", f"place {found.place} comes in its stead")
        if found.hash != link(self.hash, found.digest, place=expected):
            return Broken(expected, "altered", "the record, its place or its hash is not what was written")
        if self._known.get(expected, found.hash) != found.hash:
            return Broken(expected, "altered", "another hash was kept elsewhere: the chain was written anew")
        self.place, self.hash = expected, found.hash
        return None

    def go_on(self, found: Linked) -> None:
        """After a fault, take a record as it is stored: what was linked on to it can still be followed."""
        if found.place > self.place:
            self.place, self.hash = found.place, found.hash

    def end(self, head: Head | None) -> Broken | None:
        """Compare the end with the head that the chain should have now, and with those known."""
        last = max([*self._known, 0 if head is None else head.place])
        if last > self.place:
            return Broken(self.place + 1, "missing", f"the chain ends before it and was {last} long")
        if head is None or head.place == 0 == self.place or head == Head(self.place, self.hash):
            return None
        return Broken(min(head.place + 1, self.place), "altered", f"its head is kept as place {head.place}")


def verify(
    records: Iterable[Linked], *, partition: str, head: Head | None = None, known: Iterable[Head] = ()
) -> Broken | None:
    """Find the first fault of a chain; None when it is whole.

    Parameters
    ----------
    records : iterable of Linked
        From the first place on, in the order in which they are stored; read once.
    head : Head, optional
        Its last record as it should be now.
    known : iterable of Head
        Heads that it had earlier, as they are known from elsewhere.
    """
    follower, rest = Follower(partition, known=known), iter(records)
    for found in rest:
        if (broken := follower.follow(found)) is not None:
            return _moved(broken, found, rest) or broken
    return follower.end(head)


def _moved(broken: Broken, found: Linked, rest: Iterator[Linked]) -> Broken | None:
    """Tell a record that comes later from one that does not come at all."""
    if broken.fault == "missing" and any(later.place == broken.place for later in rest):
        return Broken(broken.place, "reordered", f"place {found.place} comes before it")
    return None
