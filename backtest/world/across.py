"""How far figures hang on the market: the same policies in worlds of other seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from statistics import median
from typing import Any, Final

from decisions.policy import Policy
from features.errors import BadInput

from ..report import plain
from .figures import Worlds
from .living import Lived, World

FOLDER: Final = "seeds"
Told = dict[str, Any]
"""What one world tells of a policy: its version, figures and gaps, as a report holds them."""


def in_other_worlds(
    world: World, policies: Sequence[Policy], *, seeds: int, live: Callable[[World, Policy], Lived]
) -> Iterator[list[Told]]:
    """Let the policies live in the worlds of the seeds that follow, each in a folder of its own.

    Parameters
    ----------
    seeds : int
        Of how many seeds there shall be worlds, the first among them.

    Raises
    ------
    BadInput
        As `living.lived`; says of which seed.
    """
    for seed in range(world.market.seed + 1, world.market.seed + seeds):
        market, out = replace(world.market, seed=seed), world.out / FOLDER / str(seed)
        other = replace(world, market=market, seed=seed, out=out)
        try:
            worlds = Worlds.of([live(other, policy) for policy in policies], seed=seed)
        except BadInput as error:
            raise BadInput(f"seed {seed}: {error}") from error
        yield [
            plain({"version": one.policy.version, "figures": worlds.figures(n), "gaps": worlds.gaps(n)})
            for n, one in enumerate(worlds.lives)
        ]


def across(worlds: Sequence[Sequence[Told]]) -> list[Told]:
    """Put what worlds tell of each policy together: a figure's values, the least, the median and the most.

    The first policy has no gaps.
    """
    return [
        {
            "version": told[0]["version"],
            "figures": _together([one["figures"] for one in told]),
            "gaps": _together([one["gaps"] for one in told]) if n else {},
        }
        for n, told in enumerate(zip(*worlds, strict=True))
    ]


def _together(told: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: _range([one[name]["value"] for one in told]) for name in told[0]}


def _range(values: list[float | None]) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    return {
        "value": median(known) if known else None,
        "low": min(known, default=None),
        "high": max(known, default=None),
        "values": values,
    }
