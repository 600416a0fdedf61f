"""Festival shoppers: little all year, then baskets full of orders at 6.18 and 11.11, some sent back."""

from __future__ import annotations

from ..draws import Rng
from .base import Archetype, HabitChanges


def habits(n: int, rng: Rng) -> HabitChanges:
    """Wait for festivals, fill baskets, and cancel a little more of them than others."""
    return {
        "festive": rng.uniform(0.75, 0.95, n),
        "basket": rng.uniform(0.45, 0.7, n),
        "cancel": rng.beta(2.0, 14.0, n),
        "return_": rng.beta(1.5, 12.0, n),
    }


ARCHETYPE = Archetype(name="festival_shopper", is_abuser=False, share=0.06, habits=habits)
