"""Clients of concession services: ordinary accounts of which all follow one service's script."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..draws import DAY, HOUR, Rng
from ..orders import Orders
from ..vocabulary import Intent
from .base import Archetype, Cast, Reaction, acts, intending, lying, ordered

MIX = {Intent.CLAIM: 0.55, Intent.CANCEL: 0.2, Intent.KEEP: 0.25}


def script(cast: Cast, rng: Rng) -> Orders:
    """Claim damage about two days after delivery, or cancel after three hours blaming the shop."""
    who, placed = acts(cast, rng, per_month=2.5)
    orders = lying(rng, intending(rng, ordered(cast, rng, who, placed), MIX), 0.9)
    scripted = np.where(orders.intent == Intent.CLAIM, 2 * DAY, 3 * HOUR)
    spread = rng.uniform(0.85, 1.15, len(who))
    return replace(orders, wait=scripted * spread)


ARCHETYPE = Archetype(
    name="concession_client",
    is_abuser=True,
    share=0.10,
    script=script,
    dormant_days=(15.0, 200.0),
    active_days=(120.0, 330.0),
    group_size=(4, 12),
    relinked=("device",),
    detected=0.5,
    detect_days=35.0,
    confirmed_for="false_claims",
    reaction=Reaction(reopens=0.7, accounts=3, keeps={"device": 0.8, "address": 0.5, "payer": 0.3}),
)
