"""Stock deniers: take a listing's stock in a burst of orders, leave most unpaid and cancel the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..draws import HOUR, Rng, weighted
from ..orders import Orders, blank_orders, priced
from ..vocabulary import GOODS, Intent
from .base import Archetype, Cast, Reaction, acts, intending

MIX = {Intent.ABANDON: 0.62, Intent.CANCEL: 0.33, Intent.KEEP: 0.05}


def script(cast: Cast, rng: Rng) -> Orders:
    """Raid one listing with little stock, three to nine orders of several units within two hours."""
    shops = cast.world.shops
    raider, begins = acts(cast, rng, per_month=1.6)
    scarce = (shops.goods == GOODS["physical"]) / shops.stock
    target = weighted(rng, scarce, len(raider))
    size = rng.integers(3, 10, len(raider))
    raid = np.repeat(np.arange(len(raider)), size)
    placed = begins[raid] + rng.uniform(0.0, 2 * HOUR, len(raid))
    orders = priced(rng, shops, blank_orders(cast.buyer[raider[raid]], placed, target[raid]))
    units = np.minimum(rng.integers(2, 8, len(raid)), np.maximum(shops.stock[orders.listing], 1))
    return intending(rng, replace(orders, fen=orders.fen * units), MIX, cancel_hours=3.5)


ARCHETYPE = Archetype(
    name="stock_denier",
    is_abuser=True,
    share=0.10,
    script=script,
    dormant_days=(2.0, 60.0),
    active_days=(120.0, 360.0),
    detected=0.55,
    detect_days=15.0,
    confirmed_for="mass_unpaid_orders",
    reaction=Reaction(reopens=0.7, accounts=3, after_days=3.0),
)
