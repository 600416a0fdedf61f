"""A batch of events read by msgspec straight into columns: as strict as `EventIn`, several times as fast."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
import pyarrow as pa

from features.events import SCHEMA

from .documents import Id, Text, instant
from .schemas import MAX_INT64

MAX_EVENTS: Final = 10_000
_Fen = Annotated[int, msgspec.Meta(ge=-MAX_INT64, le=MAX_INT64)]
_Lines = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]


class _Event(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    event_id: Id
    buyer_id: Id
    kind: Id
    occurred_at: str
    recorded_at: str
    order_id: Id | None = None
    after_sale_id: Id | None = None
    shop_id: Id | None = None
    category_id: Id | None = None
    goods_type: Id | None = None
    amount_fen: _Fen | None = None
    stage: Id | None = None
    fault: Id | None = None
    outcome: Id | None = None
    actor: Id | None = None
    reason: Text | None = None
    link_type: Id | None = None
    link_value: Id | None = None
    line_count: _Lines | None = None
    imputed: Text | None = None


class _Batch(msgspec.Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    events: list[_Event]


_decode: Final = msgspec.json.Decoder(_Batch).decode
_TIMES: Final = ("occurred_at", "recorded_at")


def event_table(body: bytes) -> pa.Table | None:
    """Read a batch in which every event is of the schema and has an id of its own; None for any other."""
    if b"\\u0000" in body:
        return None
    try:
        events = _decode(body).events
        times = {name: [instant(getattr(event, name)) for event in events] for name in _TIMES}
    except ValueError:
        return None
    if len(events) > MAX_EVENTS or any(None in column for column in times.values()):
        return None
    if len({event.event_id for event in events}) < len(events):
        return None
    columns = (times.get(name) or [getattr(event, name) for event in events] for name in SCHEMA.names)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)
