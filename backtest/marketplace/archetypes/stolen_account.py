"""Stolen good accounts: an ordinary record until a thief logs in from another device and empties it."""

from __future__ import annotations

from ..draws import Rng
from ..orders import Orders
from ..vocabulary import Intent
from .base import Archetype, Cast, HabitChanges, Reaction, acts, intending, lying, ordered, repriced

MIX = {Intent.CLAIM: 0.35, Intent.RACE: 0.3, Intent.CANCEL: 0.2, Intent.KEEP: 0.15}


def habits(n: int, rng: Rng) -> HabitChanges:
    """Be a good buyer, which is why the account is worth stealing."""
    return {"cancel": 0.03, "unpaid": 0.06, "lifetime_days": 3_000.0, "gives_back": 0.3}


def script(cast: Cast, rng: Rng) -> Orders:
    """Order dear goods for two weeks and claim the money back."""
    who, placed = acts(cast, rng, per_month=18.0)
    orders = repriced(rng, ordered(cast, rng, who, placed), 150.0, 600.0, share=0.8)
    return lying(rng, intending(rng, orders, MIX), 0.4)


ARCHETYPE = Archetype(
    name="stolen_account",
    is_abuser=True,
    share=0.06,
    habits=habits,
    script=script,
    dormant_days=(60.0, 330.0),
    active_days=(8.0, 18.0),
    group_size=(1, 3),
    relinked=("device", "address"),
    detected=0.75,
    detect_days=7.0,
    confirmed_for="account_takeover",
    cleared=0.7,
    reaction=Reaction(reopens=0.0, accounts=0),
)
