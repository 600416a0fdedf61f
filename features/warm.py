"""Compile the kernel once, at install, so that no first use pays for it: ``python -m features.warm``."""

from __future__ import annotations

from datetime import UTC, datetime

from .events import SCHEMA
from .online import buyer_vector


def warm() -> None:
    """Run the kernel on an empty history; the machine code stays in numba's cache on disk."""
    buyer_vector(SCHEMA.empty_table(), buyer_id="nobody", as_of=datetime(2000, 1, 1, tzinfo=UTC))


if __name__ == "__main__":
    warm()
