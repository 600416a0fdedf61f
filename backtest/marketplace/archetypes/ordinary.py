"""Ordinary buyers: about one order a month, now and then a change of mind."""

from __future__ import annotations

from .base import Archetype

ARCHETYPE = Archetype(name="ordinary", is_abuser=False, share=0.74)
