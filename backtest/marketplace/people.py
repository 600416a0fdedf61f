"""Who signs up when: archetypes by the mixture, groups, and the habits each has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .archetypes import ABUSERS, ARCHETYPES, HONEST, Archetype
from .archetypes.base import Cast
from .config import BLOCK_BUYERS, MarketConfig
from .draws import DAY, Bools, Floats, Ints, Rng
from .habits import Habits, leaving, ordinary_habits
from .world import World

EARLY_SHARE: Final = 0.45
"""Share of the honest buyers that join in the first month, as those of a platform that is there already."""


@dataclass(frozen=True)
class People:
    """The buyers of one block, as arrays over them.

    Attributes
    ----------
    first
        Number of the block's first buyer in the whole market.
    person
        Number of the first account of the person behind this one: the account itself unless it was opened
        in place of another.
    code
        Position in ``ARCHETYPES``.
    group, place
        Number of the group in the block, and the position in it.
    joined, leaves
        When the account is opened and given up, seconds from the start of the log.
    starts, stops
        When abuse begins and ends; infinite for honest buyers.
    """

    first: int
    person: Ints
    code: NDArray[np.int8]
    group: Ints
    place: Ints
    joined: Floats
    leaves: Floats
    starts: Floats
    stops: Floats
    habits: Habits

    def __len__(self) -> int:
        return len(self.code)

    @property
    def is_abuser(self) -> Bools:
        """Tell the abusers from the honest."""
        return np.asarray(self.code >= len(HONEST))

    def casts(self, world: World) -> Iterator[tuple[Archetype, Cast]]:
        """Give the people of each archetype that has any."""
        for code, archetype in enumerate(ARCHETYPES):
            rows = np.flatnonzero(self.code == code)
            if len(rows):
                group = np.unique(self.group[rows], return_inverse=True)[1]
                yield archetype, Cast(world, rows, group, self.starts[rows], self.stops[rows])


def settle(config: MarketConfig, world: World, rng: Rng, block: int) -> People:
    """Draw the people of one block."""
    first = block * BLOCK_BUYERS
    n = min(BLOCK_BUYERS, config.buyers - first)
    code = _codes(rng, n, _abusers_before(config, first + n) - _abusers_before(config, first))
    group, place = _groups(rng, code)
    joined = _joined(rng, code, group, world.end)
    habits = _habits(rng, code)
    starts, stops = _abuse(rng, code, joined)
    return People(
        first,
        first + np.arange(n),
        code,
        group,
        place,
        joined,
        leaving(habits, joined),
        starts,
        stops,
        habits,
    )


def together(parts: Sequence[People]) -> People:
    """Put the people of a whole market together, their groups numbered in it."""
    columns = {
        f.name: np.concatenate([getattr(part, f.name) for part in parts])
        for f in fields(People)
        if f.name not in ("first", "habits", "group")
    }
    habits = {f.name: np.concatenate([getattr(p.habits, f.name) for p in parts]) for f in fields(Habits)}
    group = np.concatenate([part.first + part.group for part in parts])
    return People(first=0, group=group, habits=Habits(**habits), **columns)


def _abusers_before(config: MarketConfig, buyers: int) -> int:
    # Exact over the whole market and even over its blocks.
    return config.abusers * buyers // config.buyers


def _codes(rng: Rng, n: int, abusers: int) -> NDArray[np.int8]:
    code = rng.choice(len(HONEST), n, p=_shares(HONEST))
    bad = rng.permutation(n)[:abusers]
    code[bad] = len(HONEST) + rng.choice(len(ABUSERS), abusers, p=_shares(ABUSERS))
    return code.astype(np.int8)


def _shares(archetypes: Sequence[Archetype]) -> Floats:
    return np.array([a.share for a in archetypes])


def _groups(rng: Rng, code: NDArray[np.int8]) -> tuple[Ints, Ints]:
    group, place, used = np.zeros(len(code), np.int64), np.zeros(len(code), np.int64), 0
    for number, archetype in enumerate(ARCHETYPES):
        rows = np.flatnonzero(code == number)
        sizes = rng.integers(archetype.group_size[0], archetype.group_size[1] + 1, len(rows))
        group[rows] = used + np.repeat(np.arange(len(rows)), sizes)[: len(rows)]
        place[rows] = (np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes))[: len(rows)]
        used += len(rows)
    return group, place


def _joined(rng: Rng, code: NDArray[np.int8], group: Ints, end: float) -> Floats:
    n, early = len(code), min(30 * DAY, 0.1 * end)
    honest = np.where(
        rng.random(n) < EARLY_SHARE, rng.uniform(0, early, n), rng.uniform(early, 0.95 * end, n)
    )
    at_will = rng.uniform(0.0, 0.8 * end, n)
    together = at_will[group] + rng.uniform(0.0, min(6 * DAY, 0.1 * end), n)
    is_together = np.array([a.joins_together for a in ARCHETYPES])[code]
    return np.select([is_together, code >= len(HONEST)], [together, at_will], honest)


def _habits(rng: Rng, code: NDArray[np.int8]) -> Habits:
    habits = ordinary_habits(rng, len(code))
    for number, archetype in enumerate(ARCHETYPES):
        rows = np.flatnonzero(code == number)
        habits.overwrite(rows, archetype.habits(len(rows), rng))
    return habits


def _abuse(rng: Rng, code: NDArray[np.int8], joined: Floats) -> tuple[Floats, Floats]:
    dormant = _days_between(rng, np.array([a.dormant_days for a in ARCHETYPES])[code])
    active = _days_between(rng, np.array([a.active_days for a in ARCHETYPES])[code])
    starts = np.where(code < len(HONEST), np.inf, joined + dormant)
    return starts, starts + active


def _days_between(rng: Rng, limits: Floats) -> Floats:
    low, high = limits.T
    return np.asarray((low + rng.random(len(limits)) * (high - low)) * DAY)
