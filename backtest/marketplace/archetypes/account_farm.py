"""Account farms: several young accounts on a few devices and addresses that spread the abuse thinly."""

from __future__ import annotations

from ..draws import Rng
from ..orders import Orders
from ..vocabulary import Intent
from .base import Archetype, Cast, HabitChanges, Reaction, acts, intending, lying, ordered

MIX = {Intent.CANCEL: 0.35, Intent.CLAIM: 0.2, Intent.RACE: 0.1, Intent.ABANDON: 0.1, Intent.KEEP: 0.25}


def habits(n: int, rng: Rng) -> HabitChanges:
    """Buy little besides."""
    return {"trips_a_day": 0.008 * rng.gamma(2.0, 0.5, n), "gives_back": 0.2, "lies": 0.3}


def script(cast: Cast, rng: Rng) -> Orders:
    """Cancel, claim and leave unpaid at a pace that is unremarkable for one account."""
    who, placed = acts(cast, rng, per_month=2.0)
    return lying(rng, intending(rng, ordered(cast, rng, who, placed), MIX), 0.3)


ARCHETYPE = Archetype(
    name="account_farm",
    is_abuser=True,
    share=0.16,
    habits=habits,
    script=script,
    dormant_days=(1.0, 25.0),
    active_days=(90.0, 300.0),
    joins_together=True,
    group_size=(3, 9),
    shared={"device": 0.85, "address": 0.75, "payer": 0.35},
    detected=0.55,
    detect_days=30.0,
    confirmed_for="linked_accounts",
    reaction=Reaction(
        reopens=0.9, accounts=5, after_days=2.0, keeps={"device": 0.9, "address": 0.8, "payer": 0.4}
    ),
)
