"""Policies beside each other: who is swapped, and which of them no other beats."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .bootstrap import Figure
from .columns import Ints
from .figures import Scene
from .outcomes import Losses

EXAMPLES: Final = 5


def swapped(scene: Scene, n: int) -> dict[str, Any]:
    """Tell whom the n-th policy refunds automatically and the first does not, and the other way round.

    ``known_rises``: fewer are refunded, and yet more is known to be lost.
    """
    first, other = scene.judged[0], scene.judged[n]
    lost = _swap(scene, n, first.auto & ~other.auto)
    gained = _swap(scene, n, ~first.auto & other.auto)
    return {
        "before": first.policy.version,
        "after": other.policy.version,
        "gained": gained,
        "lost": lost,
        "kept": int((first.auto & other.auto).sum()),
        "known_rises": lost["requests"] > gained["requests"]
        and int(other.losses.total.sum()) > int(first.losses.total.sum()),
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
        "loss_fen": _change(scene, n, rows, lambda losses: losses.total),
        "worst_fen": _change(scene, n, rows, lambda losses: losses.total + losses.worst),
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


def _change(scene: Scene, n: int, rows: Ints, of: Callable[[Losses], Ints]) -> dict[str, int]:
    """Give what is lost on some requests under the first policy and under the n-th."""
    return {
        name: int(of(scene.judged[one].losses)[rows].sum()) for name, one in (("before", 0), ("after", n))
    }


def _truth(archetypes: Sequence[str], buyer: int) -> str | None:
    return archetypes[buyer] if buyer < len(archetypes) else None


@dataclass(frozen=True)
class Point:
    """A policy on the plane of good buyers served and money lost.

    Not on it is one that refunds ``nobody``, or whose ``loss`` is not told for another reason.
    """

    version: str
    served: Figure
    loss: Figure
    on_front: bool
    nobody: bool


def front(points: Sequence[tuple[str, Figure, Figure]], *, nobody: Container[str] = ()) -> list[Point]:
    """Mark the policies that no other beats: as many served for less, or more for as little.

    One that refunds nobody loses nothing of nothing: it has no place on the plane and beats no other.

    Parameters
    ----------
    points : sequence of (version, served, loss)
    nobody : container of str
        Versions that refund nobody.
    """

    def beaten(one: tuple[str, Figure, Figure]) -> bool:
        mine = plane(one)
        return any(other[0] >= mine[0] and other[1] <= mine[1] and other != mine for other in others)

    def told(one: tuple[str, Figure, Figure]) -> bool:
        return one[2].value is not None

    others = [plane(one) for one in points if told(one)]
    return [Point(*one, told(one) and not beaten(one), one[0] in nobody) for one in points]


def plane(point: tuple[str, Figure, Figure]) -> tuple[float, float]:
    """Give what is served and what is lost; nothing where there is no figure."""
    return point[1].value or 0.0, point[2].value or 0.0
