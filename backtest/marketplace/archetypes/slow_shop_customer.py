"""Customers of slow shops: many refunds, caused by late or missing shipment and not by them."""

from __future__ import annotations

from ..draws import Rng
from .base import Archetype, HabitChanges


def habits(n: int, rng: Rng) -> HabitChanges:
    """Buy mostly in shops that ship late, and lose patience after two days or so."""
    return {
        "slow_shops": rng.uniform(0.6, 0.9, n),
        "loyal": 0.0,
        "patience_hours": rng.uniform(30.0, 60.0, n),
    }


ARCHETYPE = Archetype(name="slow_shop_customer", is_abuser=False, share=0.04, habits=habits)
