"""``buyer-tier features export``: the service's events and decisions, back as Parquet."""

from __future__ import annotations


def export() -> None:
    """Bring the service's events and decisions back as Parquet, for training and backtests."""
    raise NotImplementedError
