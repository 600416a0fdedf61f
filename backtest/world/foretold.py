"""What a replay of the first policy's history says of the others, beside what came of them in worlds."""

from __future__ import annotations

from typing import Any, Final

from ..figures import Scene
from ..judged import judge
from ..replay import Models, OnMonth, Run, replay
from .figures import Worlds

SHOWN: Final = (
    ("before", "requests before shipment", "count"),
    ("good_served", "refunded automatically of honest buyers' requests", "share"),
    ("abuser_served", "refunded automatically of active abusers' requests", "share"),
    ("auto_fen", "refunded automatically, yuan", "yuan"),
    ("abuser_auto_fen", "refunded automatically to abusers, yuan", "yuan"),
    ("loss_fen", "known loss before shipment, yuan", "yuan"),
    ("worst_fen", "the same in the worst case, yuan", "yuan"),
    ("caught", "abusers' accounts restricted or revoked", "count"),
    ("caught_by_rules", "… by the policy's own rules", "count"),
)


def foretold(worlds: Worlds, models: Models, *, seed: int, on_month: OnMonth) -> list[dict[str, Any]]:
    """Replay the history that the first policy made under each other policy; give the figures of both.

    Parameters
    ----------
    models : Models
        Those of the first policy's world.
    """
    first, others = worlds.lives[0], [one.policy for one in worlds.lives[1:]]
    if not others:
        return []
    replayed = Run(first.run.out, first.run.history, others)
    replay(replayed, models, on_month=on_month)
    scene = worlds.scenes[0]
    judged = [judge(replayed, policy, scene.outcomes, scene.buyers) for policy in others]
    beside = Scene.of(scene.history, scene.outcomes, scene.buyers, [scene.judged[0], *judged], seed=seed)
    return [
        {
            "version": policy.version,
            "replayed": _some(beside.figures(n)),
            "replayed_unknown": beside.figures(n)["unknown"].value,
            "lived": _some(worlds.figures(n)),
        }
        for n, policy in enumerate(others, 1)
    ]


def _some(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name, _, _ in SHOWN}
