"""Groups of buyers of whom none may pay for a better average."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
YOUNG_DAYS = 90.0
HEAVY_QUANTILE = 0.9


def groups_of(X: pd.DataFrame) -> Mapping[str, Mask]:
    """Name the groups: by tenure, by orders, and who shares a device, an address or a payer with others."""
    tenure = np.nan_to_num(X["days_since_first_order_paid"].to_numpy(), nan=0.0)
    orders = X["orders_paid_count_life"].to_numpy()
    peers = X[["device_peers_distinct_life", "address_peers_distinct_life", "payer_peers_distinct_life"]]
    return {
        f"bought first within {YOUNG_DAYS:.0f} days": tenure < YOUNG_DAYS,
        "bought first earlier": tenure >= YOUNG_DAYS,
        "heavy buyers, the busiest tenth": orders >= np.quantile(orders, HEAVY_QUANTILE),
        "share a device, address or payer": (peers.to_numpy() > 0).any(axis=1),
    }
