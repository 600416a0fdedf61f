"""Brushing accounts: fake trades with a few shops make a perfect history, which is harvested at the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..draws import DAY, Rng
from ..orders import Orders, blank_orders, joined, priced
from ..vocabulary import Intent
from .base import Archetype, Cast, HabitChanges, Reaction, acts, intending, ordered

HARVEST_DAYS = 60.0
HARVEST = {Intent.RACE: 0.4, Intent.CLAIM: 0.3, Intent.CANCEL: 0.2, Intent.KEEP: 0.1}


def habits(n: int, rng: Rng) -> HabitChanges:
    """Do nothing that stains the record."""
    return {"cancel": 0.01, "return_": 0.0, "unpaid": 0.01, "claim": 0.0, "gives_back": 0.1}


def script(cast: Cast, rng: Rng) -> Orders:
    """Trade with three shops at a time, then use the record for two months."""
    trades = _fake_trades(replace(cast, stops=cast.stops - HARVEST_DAYS * DAY), rng)
    late = replace(cast, starts=np.maximum(cast.starts, cast.stops - HARVEST_DAYS * DAY))
    who, placed = acts(late, rng, per_month=4.0)
    return joined([trades, intending(rng, ordered(late, rng, who, placed), HARVEST)])


def _fake_trades(cast: Cast, rng: Rng) -> Orders:
    shops = cast.world.shops
    clients = rng.integers(0, shops.count, (len(cast), 3))
    who, placed = acts(cast, rng, per_month=5.0)
    shop = clients[who, rng.integers(0, 3, len(who))]
    orders = priced(rng, shops, blank_orders(cast.buyer[who], placed, shops.visit(rng, shop)))
    return replace(orders, quick=np.ones(len(who), np.bool_))


ARCHETYPE = Archetype(
    name="brusher",
    is_abuser=True,
    share=0.08,
    habits=habits,
    script=script,
    dormant_days=(1.0, 20.0),
    active_days=(150.0, 330.0),
    group_size=(2, 5),
    shared={"device": 0.4, "payer": 0.3},
    detected=0.35,
    detect_days=60.0,
    confirmed_for="fake_trade",
    reaction=Reaction(reopens=0.8, accounts=3, keeps={"device": 0.6, "address": 0.3, "payer": 0.4}),
)
