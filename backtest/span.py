"""From when to when a log goes."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from features.errors import BadInput
from features.scan import Log, batches

from .instants import instant


def span_of(log: Log) -> tuple[datetime, datetime]:
    """Tell when the first and the last event of a log became known.

    Raises
    ------
    BadInput
        It has none.
    """
    ends = [
        pc.min_max(batch.column("recorded_at").cast(pa.int64())).as_py()
        for batch in batches(log, ["recorded_at"])
        if len(batch)
    ]
    if not ends:
        raise BadInput(f"{log.name}: holds no events; there is nothing to replay")
    return instant(min(end["min"] for end in ends)), instant(max(end["max"] for end in ends))


def refuse_outside(log: Log, *, first: datetime, last: datetime, since: datetime | None) -> None:
    """Refuse a history that begins after the first decision asked for, or ends before it.

    Raises
    ------
    BadInput
        It does.
    """
    if since is not None and since < first:
        raise BadInput(
            f"{log.name}: the history begins {first.isoformat()}, after the first decision asked for "
            f"({since.isoformat()}); begin later or give a longer history"
        )
    if since is not None and since > last:
        raise BadInput(
            f"{log.name}: the history ends {last.isoformat()}, before the first decision asked for "
            f"({since.isoformat()}); begin earlier or give a longer history"
        )
