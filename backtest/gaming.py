"""What it costs to game a policy: what abusers had bought and kept before it first refunded them unseen."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq

from .bootstrap import median_of
from .figures import Scene
from .replay import FEATURES, Run

READ: Final = {
    "orders": "orders_completed_count_life",
    "kept_fen": "completed_amount_sum_life",
    "days": "days_since_first_order_paid",
}
"""What the buyer had invested when asking, as features tell it."""


def gaming(run: Run, scene: Scene, n: int) -> dict[str, Any] | None:
    """Tell what abusers had invested before their first automatic refund while abusing, and what they got.

    None without a truth, or where no abuser was refunded automatically.
    """
    buyers, one = scene.buyers, scene.judged[n]
    if buyers.truth is None:
        return None
    asked = scene.history.requests["requested_at"].cast("int64").to_numpy()
    abusing = buyers.abuser[buyers.of_request] & (asked >= buyers.starts[buyers.of_request])
    rows = np.flatnonzero(one.auto & abusing)
    if not len(rows):
        return None
    _, first = np.unique(buyers.of_request[rows], return_index=True)
    invested = _invested(run, rows[first])
    got = scene.outcomes.fen[rows].sum()
    return {
        "abusers": len(first),
        "orders": median_of(invested["orders"]),
        "days": median_of(invested["days"][~np.isnan(invested["days"])]),
        "kept_fen": median_of(invested["kept_fen"]),
        "got_fen": int(got),
        "kept_fen_per_fen_got": float(invested["kept_fen"].sum() / got) if got else None,
    }


def _invested(run: Run, rows: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[np.float64]]:
    table = pq.read_table(run.out / FEATURES, columns=list(READ.values()))
    return {name: table[column].to_numpy()[rows] for name, column in READ.items()}
