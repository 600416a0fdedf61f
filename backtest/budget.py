"""The cheapest change to a policy that keeps a stated loss budget: changes are replayed, not estimated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from decisions.policy import Policy

from .bootstrap import Figure
from .figures import Scene

FOLDER: Final = "changes"
CAPS_FEN: Final = (20_000, 15_000, 10_000, 5_000)
POINTS: Final = (10.0, 20.0, 40.0)
ORDERS: Final = (3, 7, 17)


@dataclass(frozen=True)
class Change:
    """One setting of a policy set stricter."""

    setting: str
    before: float
    after: float
    policy: Policy


def changes(policy: Policy) -> Iterator[Change]:
    """List stricter settings: a lower cap, a higher cut-off, more completed orders."""
    settings: dict[str, list[Any]] = {
        "cap_fen": [cap for cap in CAPS_FEN if cap < policy.cap_fen],
        "quality_score_min": [
            policy.quality_score_min + more
            for more in POINTS
            if policy.quality_score_min is not None and policy.quality_score_min + more <= 900
        ],
        "min_completed_orders": [policy.min_completed_orders + more for more in ORDERS],
    }
    for setting, values in settings.items():
        for value in values:
            version = f"{policy.version}~{setting}={value:g}"
            changed = replace(policy, version=version, **{setting: value})
            yield Change(setting, float(getattr(policy, setting)), float(value), changed)


def verdict(scene: Scene, found: Sequence[Change], *, budget: float) -> dict[str, Any]:
    """Name the change that keeps the budget and costs the fewest good refunds, but not all of them.

    Parameters
    ----------
    scene : Scene
        The policy as it is first, then each change in order.
    found : sequence of Change
    budget : float
        Greatest worst-case loss per automatically refunded yuan.
    """
    served = scene.served
    figures = [scene.figures(n) for n in range(len(found) + 1)]
    rows: list[dict[str, Any]] = [
        {
            "setting": change.setting,
            "before": change.before,
            "after": change.after,
            "served": figure[served],
            "loss_rate": figure["worst_loss_rate"],
            "keeps": _keeps(figure["worst_loss_rate"], budget),
            "nobody": figure["worst_loss_rate"].value is None,
        }
        for change, figure in zip(found, figures[1:], strict=True)
    ]
    keeping = [row for row in rows if row["keeps"] and not row["nobody"]]
    return {
        "budget": budget,
        "served_is": served,
        "as_it_is": {"served": figures[0][served], "loss_rate": figures[0]["worst_loss_rate"]},
        "kept_already": _keeps(figures[0]["worst_loss_rate"], budget),
        "changes": rows,
        "cheapest": max(keeping, key=lambda row: row["served"].value or 0.0, default=None),
    }


def _keeps(rate: Figure, budget: float) -> bool:
    return rate.value is None or rate.value <= budget
