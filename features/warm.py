"""Compile the kernel once, at install, so that no first use pays for it: ``python -m features.warm``.

The machine code is kept beside these modules; where they cannot be written to, in the user's folder for
caches; with ``NUMBA_CACHE_DIR``, there. What an installing user compiled, others read. Without any such
folder each process compiles for itself, which takes tens of seconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from .arrange import hash_texts
from .batch import feature_table, spine_of
from .events import SCHEMA
from .layout import texts
from .online import buyer_vector
from .packed import append_rows, pack_rows, packed_vector


def warm() -> None:
    """Run each compiled part once, in batch and for one buyer, for what arrays it will be given."""
    nothing, when = pa.array([], pa.large_string()), datetime(2004, 1, 1, tzinfo=UTC)
    feature_table(SCHEMA.empty_table(), spine_of(nothing.cast(pa.string()), when))
    hash_texts(*texts(nothing), np.empty(0, np.uint64))
    buyer_vector(SCHEMA.empty_table(), buyer_id="nobody", as_of=when)
    packed = pack_rows([_paid(2000), _paid(2002)], buyer_id="nobody")  # the first leaves every window
    packed_vector(append_rows(packed, [_paid(2003)]), as_of=when)


def _paid(year: int) -> dict[str, Any]:
    when = datetime(year, 1, 1, tzinfo=UTC)
    said = {"event_id": str(year), "buyer_id": "nobody", "kind": "order_paid", "order_id": str(year)}
    return {**dict.fromkeys(SCHEMA.names), **said, "occurred_at": when, "recorded_at": when}


if __name__ == "__main__":
    warm()
