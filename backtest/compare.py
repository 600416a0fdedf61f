"""Policies beside each other: who is swapped, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .bootstrap import Figure
from .figures import Scene

EXAMPLES: Final = 5


def swapped(scene: Scene, n: int) -> dict[str, Any]:
    """Tell whom the n-th policy refunds automatically and the first does not, and the other way round."""
    first, other = scene.judged[0], scene.judged[n]
    return {
        "before": first.policy.version,
        "after": other.policy.version,
        "gained": _swap(scene, n, ~first.auto & other.auto),
        "lost": _swap(scene, n, first.auto & ~other.auto),
        "kept": int((first.auto & other.auto).sum()),
    }


def _swap(scene: Scene, n: int, where: np.ndarray) -> dict[str, Any]:
    o, buyers, one = scene.outcomes, scene.buyers, scene.judged[n]
    who = buyers.of_request[where]
    rows = np.flatnonzero(where)
    of_buyer = buyers.summed(np.where(where, o.fen, 0))
    largest = np.argsort(-of_buyer, kind="stable")[:EXAMPLES]
    found: dict[str, Any] = {
        "requests": len(rows),
        "buyers": len(np.unique(who)),
        "fen": int(o.fen[rows].sum()),
        "by_abusers": int(buyers.abuser[who].sum()) if buyers.truth is not None else None,
        "found_shipped": int(o.found_shipped[rows].sum()),
        "examples": [],
    }
    for buyer in largest.tolist():
        own = rows[who == buyer]
        if not len(own):
            break
        found["examples"].append(
            {
                "buyer_id": buyers.ids[buyer].as_py(),
                "requests": len(own),
                "fen": int(of_buyer[buyer]),
                "score": round(float(np.median(one.score[own])), 1),
                "tier": str(one.tier[own[-1]]),
                "standing": str(one.standing[own[-1]]),
                "truth": None if buyers.truth is None else _truth(buyers.truth.archetype, buyer),
            }
        )
    return found


def _truth(archetypes: Sequence[str], buyer: int) -> str | None:
    return archetypes[buyer] if buyer < len(archetypes) else None


@dataclass(frozen=True)
class Point:
    """A policy on the plane of good buyers served and money lost; one that refunds nobody is not on it."""

    version: str
    served: Figure
    loss: Figure
    on_front: bool
    nobody: bool


def front(points: Sequence[tuple[str, Figure, Figure]]) -> list[Point]:
    """Mark the policies that no other beats: as many served for less, or more for as little.

    One that refunds nobody loses nothing of nothing: it has no place on the plane and beats no other.

    Parameters
    ----------
    points : sequence of (version, served, loss)
    """

    def beaten(one: tuple[str, Figure, Figure]) -> bool:
        mine = plane(one)
        return any(other[0] >= mine[0] and other[1] <= mine[1] and other != mine for other in others)

    def refunds(one: tuple[str, Figure, Figure]) -> bool:
        return one[2].value is not None

    others = [plane(one) for one in points if refunds(one)]
    return [Point(*one, refunds(one) and not beaten(one), not refunds(one)) for one in points]


def plane(point: tuple[str, Figure, Figure]) -> tuple[float, float]:
    """Give what is served and what is lost; nothing where there is no figure."""
    return point[1].value or 0.0, point[2].value or 0.0
