"""Sleepers: build a good record for months, then cash it in within weeks."""

from __future__ import annotations

from ..draws import Rng
from ..orders import Orders
from ..vocabulary import Intent
from .base import Archetype, Cast, HabitChanges, Reaction, acts, intending, lying, ordered, repriced

MIX = {Intent.RACE: 0.35, Intent.CLAIM: 0.3, Intent.CANCEL: 0.25, Intent.KEEP: 0.1}


def habits(n: int, rng: Rng) -> HabitChanges:
    """Complete nearly everything until then."""
    return {
        "trips_a_day": rng.uniform(0.03, 0.08, n),
        "cancel": 0.02,
        "return_": 0.01,
        "unpaid": 0.05,
        "claim": 0.0,
        "gives_back": 0.1,
        "fight": 0.5,
        "lifetime_days": 3_000.0,
    }


def script(cast: Cast, rng: Rng) -> Orders:
    """Order for 150 to 299 yuan every third day and want the money back for most of it."""
    who, placed = acts(cast, rng, per_month=9.0)
    orders = repriced(rng, ordered(cast, rng, who, placed), 150.0, 299.0, share=0.7)
    return lying(rng, intending(rng, orders, MIX), 0.3)


ARCHETYPE = Archetype(
    name="sleeper",
    is_abuser=True,
    share=0.10,
    habits=habits,
    script=script,
    dormant_days=(100.0, 300.0),
    active_days=(40.0, 90.0),
    detected=0.6,
    detect_days=25.0,
    reaction=Reaction(reopens=0.3, accounts=1, after_days=15.0),
)
