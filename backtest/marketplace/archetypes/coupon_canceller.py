"""Basket-coupon cancellers: fill a basket up to the coupon, pay, then cancel the filler and keep the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..draws import HOUR, Ints, Rng, chance, lognormal
from ..orders import Orders, charm, gap_to_coupon, stacked
from ..vocabulary import Intent
from .base import Archetype, Cast, acts, ordered

CANCELLED = 0.85
"""Share of the fillers that are cancelled."""


def script(cast: Cast, rng: Rng) -> Orders:
    """Pay a wanted order with one or two fillers that reach the coupon; cancel most fillers within hours."""
    who, placed = acts(cast, rng, per_month=4.0)
    wanted = ordered(cast, rng, who, placed)
    fillers = rng.integers(1, 3, len(who))
    basket = np.repeat(np.arange(len(who)), fillers)
    filler = _fillers(cast, rng, wanted.pick(basket), who[basket], fillers[basket])
    return stacked([wanted, replace(filler, basket=basket)])


def _fillers(cast: Cast, rng: Rng, wanted: Orders, who: Ints, parts: Ints) -> Orders:
    n = len(who)
    lacking = gap_to_coupon(wanted.fen) * rng.uniform(1.02, 1.15, n) + 2.0
    return replace(
        ordered(cast, rng, who, wanted.placed),
        fen=charm(lacking / parts),
        intent=np.where(chance(rng, CANCELLED, n), Intent.CANCEL, Intent.KEEP).astype(np.int8),
        wait=lognormal(rng, 0.8 * HOUR, sigma=1.0, size=n),
    )


ARCHETYPE = Archetype(
    name="coupon_canceller",
    is_abuser=True,
    share=0.20,
    script=script,
    dormant_days=(5.0, 120.0),
    active_days=(180.0, 420.0),
    detected=0.45,
    detect_days=35.0,
)
