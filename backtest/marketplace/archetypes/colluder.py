"""Buyer-shop collusion: refunds of one pair that the platform advances and the shop never pays back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..draws import HOUR, Rng, chance, lognormal
from ..orders import Orders, blank_orders, priced
from ..vocabulary import Intent
from .base import Archetype, Cast, Reaction, acts, repriced


def script(cast: Cast, rng: Rng) -> Orders:
    """Order again and again in one shop that does not ship; ask for most of it back after hours."""
    shops = cast.world.shops
    partner = rng.integers(0, shops.count, len(cast))
    who, placed = acts(cast, rng, per_month=3.5)
    orders = priced(rng, shops, blank_orders(cast.buyer[who], placed, shops.visit(rng, partner[who])))
    orders = repriced(rng, orders, 180.0, 299.0, share=0.6)
    asks = chance(rng, 0.7, len(who))
    return replace(
        orders,
        intent=np.where(asks, Intent.CANCEL, Intent.KEEP).astype(np.int8),
        wait=lognormal(rng, 7.0 * HOUR, sigma=0.8, size=len(who)),
        held=asks,
        lie=asks & chance(rng, 0.3, len(who)),
    )


ARCHETYPE = Archetype(
    name="colluder",
    is_abuser=True,
    share=0.07,
    script=script,
    dormant_days=(10.0, 150.0),
    active_days=(150.0, 360.0),
    detected=0.4,
    detect_days=45.0,
    reaction=Reaction(reopens=0.6, keeps={"device": 0.4, "address": 0.6, "payer": 0.6}),
)
