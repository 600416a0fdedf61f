"""The features of one buyer now: the same packing and the same kernel as in batch."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .batch import evaluate_spine
from .catalog import CATALOG
from .compile import Catalog
from .events import TIMESTAMP
from .history import pack


def buyer_vector(
    events: pa.Table, *, buyer_id: str, as_of: datetime, catalog: Catalog = CATALOG
) -> npt.NDArray[np.float64]:
    """Compute one buyer's features at one instant.

    Parameters
    ----------
    events : pa.Table
        The buyer's own events and, of accounts that share a link, their ``identity_linked``,
        ``abuse_confirmed`` and ``abuse_cleared`` events. Later ones than ``as_of`` are not seen.
    buyer_id : str
    as_of : datetime
        Timezone-aware.

    Returns
    -------
    float64 (n_features,)
        In the catalog's order; NaN where a feature is not defined.
    """
    when = pa.array([as_of], TIMESTAMP).cast(pa.int64()).to_numpy()
    buyers = pa.chunked_array([pa.array([buyer_id], pa.string())])
    rows = evaluate_spine(pack(events), buyers, when, catalog=catalog)
    return rows.reshape(catalog.n_features)
