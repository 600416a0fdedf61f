"""The world that all buyers share: shops and seasons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .config import MarketConfig
from .draws import Rng
from .seasons import Season, make_season
from .shops import Shops, make_shops


@dataclass(frozen=True)
class World:
    """Shops and seasons, the same for every block of buyers."""

    shops: Shops
    season: Season

    @property
    def end(self) -> float:
        """Seconds from the first to the last instant of the log."""
        return self.season.end


def make_world(config: MarketConfig) -> World:
    """Build the shared world from its own random stream."""
    rng = stream(config, 0)
    return World(shops=make_shops(rng, config.buyers), season=make_season(config.start, config.days))


def stream(config: MarketConfig, *key: int) -> Rng:
    """Open the random stream with this key; streams of different keys are independent."""
    return np.random.default_rng(np.random.SeedSequence(config.seed, spawn_key=key))
