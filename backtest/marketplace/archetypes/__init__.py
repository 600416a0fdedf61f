"""Everyone who is out there: one module per archetype, and the mixture in one table."""

from __future__ import annotations

from typing import Final

from . import (
    account_farm,
    brusher,
    colluder,
    concession_client,
    coupon_canceller,
    festival_shopper,
    household,
    indecisive,
    ordinary,
    race_exploiter,
    sleeper,
    slow_shop_customer,
    stock_denier,
    stolen_account,
)
from .base import Archetype

ABUSERS: Final[tuple[Archetype, ...]] = (
    coupon_canceller.ARCHETYPE,
    account_farm.ARCHETYPE,
    race_exploiter.ARCHETYPE,
    stock_denier.ARCHETYPE,
    sleeper.ARCHETYPE,
    concession_client.ARCHETYPE,
    brusher.ARCHETYPE,
    colluder.ARCHETYPE,
    stolen_account.ARCHETYPE,
)
HONEST: Final[tuple[Archetype, ...]] = (
    ordinary.ARCHETYPE,
    household.ARCHETYPE,
    festival_shopper.ARCHETYPE,
    indecisive.ARCHETYPE,
    slow_shop_customer.ARCHETYPE,
)
ARCHETYPES: Final = HONEST + ABUSERS
"""The position of an archetype here is its code."""
MIXTURE: Final = {a.name: a.share for a in ARCHETYPES}
"""Share of each archetype: of the honest buyers, and of the abusers; each of the two adds up to one."""

__all__ = ["ABUSERS", "ARCHETYPES", "HONEST", "MIXTURE", "Archetype"]
