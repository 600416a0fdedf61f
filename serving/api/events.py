"""Events in: what happened to buyers, as the platform learns it."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field
from starlette.responses import Response

from ..ingest import Fate, ingest, ingest_plain
from ..store.database import Database
from . import examples
from .answers import Json
from .auth import require
from .body import MAX_EVENTS_BYTES, documented, parsed, raw
from .event_documents import MAX_EVENTS, event_table
from .schemas import MAX_INT64, EventResults, Id, Instant, Sent, Text

router = APIRouter(prefix="/v1", tags=["Events"], dependencies=[Depends(require("events:write"))])


class EventIn(Sent):
    """One event of the log; which fields a kind needs is told when it is rejected."""

    event_id: Id
    buyer_id: Id
    kind: Id
    occurred_at: Instant
    recorded_at: Instant
    order_id: Id | None = None
    after_sale_id: Id | None = None
    shop_id: Id | None = None
    category_id: Id | None = None
    goods_type: Id | None = None
    amount_fen: Annotated[int, Field(ge=-MAX_INT64, le=MAX_INT64)] | None = None
    stage: Id | None = None
    fault: Id | None = None
    outcome: Id | None = None
    actor: Id | None = None
    reason: Text | None = None
    link_type: Id | None = None
    link_value: Id | None = None
    line_count: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    imputed: Text | None = None


class EventsIn(Sent):
    """A batch; the events are checked one by one, so that a bad one does not stop the others."""

    events: Annotated[list[Any], Field(max_length=MAX_EVENTS)]


class EventsDocumented(Sent):
    """A batch of up to 10,000 events."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.EVENTS]})

    events: Annotated[list[EventIn], Field(max_length=MAX_EVENTS)]


@router.post(
    "/events",
    openapi_extra=documented(EventsDocumented),
    responses={
        200: {"model": EventResults, "description": "One result for each event, in order."},
        **examples.problems(401, 403, 408, 413, 422, 500, 503),
    },
)
async def add(request: Request, content: Annotated[bytes, Depends(raw(limit=MAX_EVENTS_BYTES))]) -> Response:
    """Add events to the log; sending them again changes nothing."""
    fates = await _fates(request.app.state.database, content)
    for status, count in Counter(fate.status for fate in fates).items():
        request.app.state.metrics.events(status, count)
    results = [
        {"event_id": f.event_id, "status": f.status, **({"reason": f.reason} if f.reason else {})}
        for f in fates
    ]
    return Json({"results": results})


async def _fates(database: Database, content: bytes) -> list[Fate]:
    """Store the batch; where anything in it is doubtful, event by event, by the schema."""
    table = await asyncio.to_thread(event_table, content)
    fates = None if table is None else await ingest_plain(database, table)
    if fates is None:
        fates = await ingest(database, parsed(EventsIn, content).events, model=EventIn)
    return fates
