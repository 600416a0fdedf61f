"""Households: two to four honest people behind one address and often one device, each with an account."""

from __future__ import annotations

from .base import Archetype

ARCHETYPE = Archetype(
    name="household",
    is_abuser=False,
    share=0.12,
    group_size=(2, 4),
    shared={"device": 0.7, "address": 1.0, "payer": 0.25},
)
