"""Which device, address and payer an account uses: private, the household's, the dormitory's, the farm's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .archetypes import ARCHETYPES
from .config import BLOCK_BUYERS
from .draws import DAY, HOUR, Floats, Ints, Rng, chance
from .orders import Columns
from .people import People
from .vocabulary import LINK

CHANGES_A_YEAR: Final = {"device": 0.35, "address": 0.3, "payer": 0.1}
DORMITORY_SHARE: Final = 0.03
DORMITORY_BUYERS: Final = 15
LATE_HOURS: Final = 24.0
"""The nightly job that resolves identities knows a link up to a day after it arose."""
MEMBERS_PER_VALUE: Final = 4
"""Larger groups use several devices and addresses, one for every four accounts."""
# Numbers of private, group, dormitory and later identities of one block and type, side by side.
_GROUP, _DORMITORY, _LATER, _SPACE = (k * BLOCK_BUYERS for k in (1, 8, 9, 200))


@dataclass(frozen=True)
class Links(Columns):
    """Identities linked to accounts; ``value`` is a number without meaning, unique in the market."""

    buyer: Ints
    at: Floats
    known: Floats
    kind: NDArray[np.int8]
    value: Ints


def link(people: People, rng: Rng, *, block: int, end: float) -> Links:
    """Link every account at its opening, some again later, and the relinked ones when abuse begins."""
    parts = []
    for name in LINK:
        opened = np.arange(len(people)), people.joined, _first_values(people, rng, name)
        for buyer, at, number in (opened, _moves(people, rng, name, end), _relinked(people, name)):
            known = at + rng.random(len(at)) ** 2 * LATE_HOURS * HOUR
            kind = np.full(len(at), LINK[name], np.int8)
            parts.append((buyer, at, known, kind, link_value(block, number, name)))
    return Links(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def link_value(block: int, number: Ints, name: str) -> Ints:
    """Number the identities of one type in the whole market; blocks from ``config.blocks`` on are free."""
    return (block * _SPACE + number) * len(LINK) + LINK[name]


def _first_values(people: People, rng: Rng, name: str) -> Ints:
    n = len(people)
    shared = np.array([a.shared.get(name, 0.0) for a in ARCHETYPES])[people.code]
    own = np.arange(n)
    if name == "address":
        dormitory = _DORMITORY + rng.integers(0, max(1, round(n * DORMITORY_SHARE / DORMITORY_BUYERS)), n)
        own = np.where(chance(rng, DORMITORY_SHARE, n), dormitory, own)
    return np.where(chance(rng, shared, n), _group_values(people), own)


def _group_values(people: People) -> Ints:
    # Four values per group are enough: no group has more than sixteen accounts.
    return _GROUP + people.group * 4 + people.place // MEMBERS_PER_VALUE


def _moves(people: People, rng: Rng, name: str, end: float) -> tuple[Ints, Floats, Ints]:
    until = np.minimum(people.leaves, end)
    years = np.maximum(until - people.joined, 0.0) / (365 * DAY)
    buyer = np.repeat(np.arange(len(people)), rng.poisson(CHANGES_A_YEAR[name] * years))
    at = rng.uniform(people.joined[buyer], until[buyer])
    return buyer, at, _LATER + np.arange(len(buyer))


def _relinked(people: People, name: str) -> tuple[Ints, Floats, Ints]:
    relinks = np.array([name in a.relinked for a in ARCHETYPES])[people.code]
    buyer = np.flatnonzero(relinks)
    return buyer, people.starts[buyer], _group_values(people)[buyer]
