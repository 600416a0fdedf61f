"""A market in which good buyers complete their orders, cheap enough to be learned again and again."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from training.limits import Limits
from training.retrain import Order

from .events import cancelled, event, order, table

EASY = Limits(psi=9.0, swap_share=9.0, calibration_error=1.0, calibration_ratio=99.0, loss_share_rise=1.0)
"""Limits that a market of a hundred buyers can keep."""


def market(*, n_buyers: int = 120, n_days: int = 400, seed: int = 0) -> pa.Table:
    """Draw a market of `n_days`; every tenth buyer cancels nearly everything, the others complete."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for b in range(n_buyers):
        buyer, abuser = f"b{b}", b % 10 == 0
        for i, at in enumerate(
            np.sort(rng.uniform(0, n_days - 1, rng.poisson(n_days / (8 if abuser else 20))))
        ):
            name = f"{buyer}-{i}"
            rows += order(buyer, float(at), name, line_count=int(rng.integers(1, 9)))
            if rng.random() < (0.85 if abuser else 0.04):
                rows += cancelled(buyer, float(at) + 0.1, name)
            else:
                rows.append(event("order_completed", buyer, float(at) + 0.9, order_id=name, amount_fen=5000))
    return table(rows)


def order_in(home: Path, **changes: Any) -> Order:
    """Make an order for a store and a folder below `home` that gives up at once."""
    given: dict[str, Any] = {
        "tracking_uri": f"sqlite:///{home / 'mlflow.db'}",
        "kept_in": home / "retraining",
        "limits": EASY,
        "wait_seconds": 0.0,
        "delays": (),
    }
    return Order(**given | changes)


def copied(home: Path, to: Path) -> Order:
    """Copy a store with its artifacts, which it knows by absolute paths; make an order for the copy."""
    shutil.copytree(home / "mlartifacts", to / "mlartifacts")
    with (
        closing(sqlite3.connect(home / "mlflow.db")) as old,
        closing(sqlite3.connect(to / "mlflow.db")) as new,
    ):
        new.executescript("\n".join(old.iterdump()).replace(str(home), str(to)))
    return order_in(to)
