"""Features of many buyers at many instants, on this machine."""

from __future__ import annotations

from datetime import datetime
from typing import Final

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
from .layout import in_threads
from .matching import Events, Ints
from .needs import needs_of
from .typed import FIRST_TIME, LAST_TIME

_BLOCK: Final = 1024


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
    keys = checked_spine(spine)
    as_of = keys["as_of"].cast(pa.int64()).to_numpy()
    histories = pack(events, needs=needs_of(catalog.plan))
    values = evaluate_spine(histories, keys["buyer_id"], as_of, catalog=catalog)
    return laid_out(keys, values, catalog=catalog)


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
    return evaluate_rows(histories.offsets, histories.events, buyer, as_of, catalog=catalog)


def evaluate_rows(
    offsets: Ints, events: Events, buyer: Ints, as_of: Ints, *, catalog: Catalog
) -> npt.NDArray[np.float64]:
    """Return the feature matrix of (buyer number, as_of) pairs; numbers past the last have no events."""
    unknown = len(offsets) - 1
    order = np.lexsort((as_of, buyer))
    rows = np.searchsorted(buyer[order], np.arange(unknown + 2)).astype(np.int64)
    offsets = np.append(offsets, offsets[-1])
    asked, out = as_of[order], np.empty((len(as_of), catalog.n_features))

    def work(part: slice) -> None:
        buyers = slice(part.start, part.stop + 1)
        evaluate(events, offsets[buyers], rows[buyers], asked, place=order, plan=catalog.plan, out=out)

    in_threads(work, offsets)
    return out


def laid_out(keys: pa.Table, values: npt.NDArray[np.float64], *, catalog: Catalog) -> pa.Table:
    """Turn a feature matrix into the catalog's table; block by block, as caches like it."""
    columns = np.empty((catalog.n_features, len(values)))
    for at in range(0, len(values), _BLOCK):
        columns[:, at : at + _BLOCK] = values[at : at + _BLOCK].T
    arrays = [pa.array(column) for column in columns]
    return pa.Table.from_arrays([keys["buyer_id"], keys["as_of"], *arrays], schema=catalog.schema)


def spine_of(buyers: pa.Array, as_of: datetime) -> pa.Table:
    """Ask for every buyer at one instant."""
    when = pa.array([as_of], TIMESTAMP)
    return pa.table({"buyer_id": buyers, "as_of": pa.repeat(when[0], len(buyers))})


def checked_spine(spine: pa.Table) -> pa.Table:
    """Return the spine's two columns in the contract's types, or refuse it with `BadInput`."""
    for name in ("buyer_id", "as_of"):
        if name not in spine.column_names:
            found = ", ".join(spine.column_names)
            raise BadInput(f"the spine has no column {name} (found: {found})")
        if spine.column_names.count(name) > 1:
            raise BadInput(f"the spine has the column {name} more than once")
        if spine[name].null_count:
            raise BadInput(f"the spine has {spine[name].null_count} nulls in {name}")
    kind = spine.schema.field("buyer_id").type
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
        raise BadInput(f"the spine's buyer_id is {kind}, it must be text")
    kind = spine.schema.field("as_of").type
    if not pa.types.is_timestamp(kind) or kind.tz is None:
        raise BadInput(f"the spine's as_of is {kind}, it must be a timestamp with a time zone")
    fields = [pa.field("buyer_id", pa.string()), pa.field("as_of", TIMESTAMP)]
    try:
        keys = spine.select(["buyer_id", "as_of"]).cast(pa.schema(fields))
    except pa.ArrowInvalid as error:
        raise BadInput(f"the spine is not exact in microseconds ({str(error).splitlines()[0]})") from None
    return _within_calendar(keys)


def _within_calendar(keys: pa.Table) -> pa.Table:
    """Refuse instants so far away that a window's beginning would leave 64 bits."""
    ends = pc.min_max(keys["as_of"])
    if len(keys) and not FIRST_TIME.value <= ends["min"].value <= ends["max"].value <= LAST_TIME.value:
        raise BadInput("the spine has an as_of outside the years 1 to 9999; check its unit")
    return keys
