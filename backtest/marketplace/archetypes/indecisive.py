"""Indecisive honest buyers: cancel often and within minutes, order again, and keep most of the value."""

from __future__ import annotations

from ..draws import Rng
from .base import Archetype, HabitChanges


def habits(n: int, rng: Rng) -> HabitChanges:
    """Cancel a third of the orders soon and place most of them again."""
    return {
        "trips_a_day": 0.022 * rng.gamma(2.0, 0.5, n),
        "cancel": rng.beta(5.0, 10.0, n),
        "cancel_hours": rng.uniform(0.1, 0.4, n),
        "rebuy": rng.uniform(0.6, 0.95, n),
        "return_": rng.beta(1.0, 8.0, n),
        "gives_back": 0.95,
    }


ARCHETYPE = Archetype(name="indecisive", is_abuser=False, share=0.04, habits=habits)
