"""Compile the kernel once, at install, so that no first use pays for it: ``python -m features.warm``."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from .arrange import hash_texts
from .batch import feature_table, spine_of
from .events import SCHEMA
from .layout import texts
from .online import buyer_vector
from .packed import append_rows, pack_rows, packed_vector
from .rows import COLUMNS, Row


def warm() -> None:
    """Run the compiled parts on next to nothing; the machine code stays in numba's cache on disk."""
    nothing = pa.array([], pa.large_string())
    feature_table(SCHEMA.empty_table(), spine_of(nothing.cast(pa.string()), datetime(2000, 1, 1, tzinfo=UTC)))
    hash_texts(*texts(nothing), np.empty(0, np.uint64))
    buyer_vector(SCHEMA.empty_table(), buyer_id="nobody", as_of=datetime(2000, 1, 1, tzinfo=UTC))
    folded, recent, new = map(_paid, (1996, 1998, 1999))
    packed = append_rows(pack_rows([folded, recent], buyer_id="nobody"), [new])
    packed_vector(packed, as_of=datetime(2000, 1, 1, tzinfo=UTC))


def _paid(year: int) -> Row:
    when = datetime(year, 1, 1, tzinfo=UTC)
    said = {"event_id": str(year), "buyer_id": "nobody", "kind": "order_paid"}
    return {**dict.fromkeys(COLUMNS), **said, "occurred_at": when, "recorded_at": when}


if __name__ == "__main__":
    warm()
