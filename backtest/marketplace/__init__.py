"""The simulated marketplace: buyers, shops, abusers and controls that write an event log."""

from __future__ import annotations

from .archetypes import MIXTURE
from .config import MarketConfig
from .live import Replies, Step, live, stated_answer
from .market import Market, blocks, simulate

__all__ = [
    "MIXTURE",
    "Market",
    "MarketConfig",
    "Replies",
    "Step",
    "blocks",
    "live",
    "simulate",
    "stated_answer",
]
