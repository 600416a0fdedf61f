"""Features of many buyers at many instants, on this machine."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .catalog import CATALOG
from .compile import Catalog
from .errors import BadInput
from .events import TIMESTAMP
from .history import Histories, pack
from .kernel import evaluate


def feature_table(events: pa.Table, spine: pa.Table, *, catalog: Catalog = CATALOG) -> pa.Table:
    """Compute every feature for every row of the spine.

    Parameters
    ----------
    events : pa.Table
        Columns of `features.events.SCHEMA`, any order of rows.
    spine : pa.Table
        Columns ``buyer_id`` (string) and ``as_of`` (timestamp with zone); no nulls. A buyer without
        events gets the features of an empty history.
    catalog : Catalog

    Returns
    -------
    pa.Table
        ``catalog.schema``, the rows in the spine's order.

    Raises
    ------
    BadInput
        When the spine lacks a column, holds a null or a time without zone, or an event id repeats.
    """
    keys = _checked_spine(spine)
    as_of = keys["as_of"].cast(pa.int64()).to_numpy()
    values = evaluate_spine(pack(events), keys["buyer_id"], as_of, catalog=catalog)
    columns = [pa.array(values[:, i]) for i in range(catalog.n_features)]
    return pa.Table.from_arrays([keys["buyer_id"], keys["as_of"], *columns], schema=catalog.schema)


def evaluate_spine(
    histories: Histories,
    buyers: pa.ChunkedArray,
    as_of: npt.NDArray[np.int64],
    *,
    catalog: Catalog = CATALOG,
) -> npt.NDArray[np.float64]:
    """Return the feature matrix of (buyer, as_of) pairs, ``(n_rows, n_features)``."""
    index = pc.index_in(buyers, value_set=histories.buyer_ids)
    unknown = len(histories.buyer_ids)
    buyer = pc.fill_null(index, unknown).to_numpy().astype(np.int64)
    order = np.lexsort((as_of, buyer))
    rows = np.searchsorted(buyer[order], np.arange(unknown + 2)).astype(np.int64)
    offsets = np.append(histories.offsets, histories.offsets[-1])
    out = np.empty((len(as_of), catalog.n_features))
    evaluate(histories.events, offsets, rows, as_of[order], place=order, plan=catalog.plan, out=out)
    return out


def spine_of(buyers: pa.Array, as_of: datetime) -> pa.Table:
    """Ask for every buyer at one instant."""
    when = pa.array([as_of], TIMESTAMP)
    return pa.table({"buyer_id": buyers, "as_of": pa.repeat(when[0], len(buyers))})


def _checked_spine(spine: pa.Table) -> pa.Table:
    for name in ("buyer_id", "as_of"):
        if name not in spine.column_names:
            found = ", ".join(spine.column_names)
            raise BadInput(f"the spine has no column {name} (found: {found})")
        if spine[name].null_count:
            raise BadInput(f"the spine has {spine[name].null_count} nulls in {name}")
    kind = spine.schema.field("as_of").type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise BadInput(f"the spine's as_of is {kind}, it must be a timestamp with a time zone")
    fields = [pa.field("buyer_id", pa.string()), pa.field("as_of", TIMESTAMP)]
    return spine.select(["buyer_id", "as_of"]).cast(pa.schema(fields))
