"""The report of policies that each lived in a world, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ..report import asked_in, beside, plain, told_of
from ..walk_forward import taught_nothing
from .figures import Worlds
from .living import World

SERVED: Final = "good_served"
COST: Final = "worst_loss_rate"
UNKNOWN: Final = (
    "The market is simulated: who abuses, how often and how abusers react is assumed, as the page of the "
    "simulated marketplace says. Figures are those of one seed; others have others (--seeds). The honest do "
    "not react, so nobody asks more often because refunds come at once."
)
BUDGETS: Final = (
    "A parcel that is found shipped on the very day of its refund is known to the budgets from the next step "
    "of the market on, some hours later than to the service."
)


def report_of(
    world: World, worlds: Worlds, *, inputs: dict[str, Any], foretold: Sequence[dict[str, Any]], models: str
) -> dict[str, Any]:
    """Gather everything that there is to say of some worlds.

    Parameters
    ----------
    inputs : dict
        What went in, see `run_record.Inputs`.
    foretold : sequence of dict
        See `foretold.foretold`.
    """
    policies = [_policy(worlds, n) for n in range(len(worlds.lives))]
    market = world.market
    history = worlds.lives[0].run.history
    found: dict[str, Any] = plain(
        {
            **beside(policies, served=SERVED, cost=COST, inputs=inputs),
            "world": {
                "buyers": market.buyers,
                "abusers": market.abusers,
                "days": market.days,
                "abuse_rate": market.abuse_rate,
                "seed": market.seed,
                "first": market.start.isoformat(),
                "last": market.end.isoformat(),
                "decided_from": worlds.lives[0].run.months[0].name,
                "models": models,
                "reacts": world.reacts,
            },
            "history": {"first": history.first.isoformat(), "last": history.last.isoformat()},
            "has_truth": True,
            "foretold": list(foretold),
            "swaps": [],
            "caveats": _caveats(world, worlds),
        }
    )
    return found


def _policy(worlds: Worlds, n: int) -> dict[str, Any]:
    run, scene = worlds.lives[n].run, worlds.scenes[n]
    return {
        "history": {
            "events": run.history.events,
            "requests": len(run.history.requests),
            **asked_in(run.history),
            "before_shipment": int(scene.outcomes.before.sum()),
        },
        "figures": worlds.figures(n),
        "gaps": worlds.gaps(n) if n else {},
        "over_time": worlds.over_time(n),
        **told_of(run, scene, 0, first=worlds.lives[0].policy),
    }


def _caveats(world: World, worlds: Worlds) -> list[str]:
    found = [UNKNOWN]
    if any("budget" in one.policy.asks for one in worlds.lives):
        found.append(BUDGETS)
    for one in worlds.lives:
        months = [month.name for month in one.run.months]
        if idle := taught_nothing(months, world.out, one.run.out):
            found.append(
                f"{one.policy.version}: nothing could be learned in its market for {', '.join(idle)}, "
                "decided by the model before."
            )
    return found
