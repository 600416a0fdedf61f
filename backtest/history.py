"""The part of a log that a replay needs: what was asked, what was known of it, what came of it.

A log is read in two passes, batch by batch; only events of refunds, disputes and abuse stay, and those of
the orders that were asked about.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import GoodsType
from decisions.shanghai import MICROSECOND
from features.errors import BadInput
from features.events import SCHEMA
from features.scan import Log, batches, open_log

from .order_evidence import order_evidences
from .requests import IN_TIME, between, request_table
from .span import refuse_outside, span_of

ANSWERS: Final = ("refund_granted", "refund_rejected", "refund_withdrawn")
KINDS: Final = (
    "refund_requested",
    *ANSWERS,
    "refund_found_shipped",
    "dispute_opened",
    "dispute_closed",
    "abuse_confirmed",
    "abuse_cleared",
)
"""The events that say what came of a request, and those that a standing or a ledger hears of."""
COLUMNS: Final = tuple(
    name for name in SCHEMA.names if name not in ("link_type", "link_value", "imputed", "line_count")
)
OF_ORDERS: Final = (
    *("event_id", "buyer_id", "kind", "occurred_at", "recorded_at", "order_id", "goods_type", "amount_fen"),
)


@dataclass(frozen=True, kw_only=True)
class History:
    """What a replay works on.

    Attributes
    ----------
    log : Log
    requests : pa.Table
        `requests.SCHEMA` with `order_evidence.SCHEMA`, in the order in which they came.
    facts : pa.Table
        Events of `KINDS`, in the order in which they became known, all of the log.
    orders : pa.Table
        Events of the orders that were asked about.
    incomplete, repeated : int
        Requests that could not be rebuilt, and events that asked again.
    first, last : datetime
        Of all events, when they became known.
    since, until : datetime
        Requests that came in ``[since, until)`` are in it, `until` no later than just past the last event.
    events : int
        How many the log has.
    """

    log: Log
    requests: pa.Table
    facts: pa.Table
    orders: pa.Table
    incomplete: int
    repeated: int
    first: datetime
    last: datetime
    since: datetime
    until: datetime
    events: int


def read_history(
    path: Path | Log,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    goods: GoodsType | None = None,
) -> History:
    """Read a Parquet log for the requests that became known in ``[since, until)``.

    Parameters
    ----------
    since, until : datetime, optional
        Without them from the first event and past the last.
    goods : str, optional
        What orders hold of which the log does not say it.

    Raises
    ------
    BadInput
        The log is empty, begins after `since` or ends before it, or has answers to what nobody
        had asked yet; what `features.scan` refuses.
    """
    log = open_log(path)
    first, last = span_of(log)
    refuse_outside(log, first=first, last=last, since=since)
    facts = _facts(log)
    _refuse_disorder(log, facts)
    asking = facts.filter(pc.equal(facts["kind"], "refund_requested"))
    past = last + MICROSECOND
    since, until = since or first, past if until is None else min(until, past)
    asking = between(asking, since, until)
    orders = _of_orders(log, asking["order_id"].unique())
    asked = request_table(asking, orders, goods=goods)
    known = order_evidences(asked.table, orders)
    names = asked.table.column_names + known.column_names
    requests = pa.table([*asked.table.columns, *known.columns], names)
    return History(
        log=log,
        requests=requests,
        facts=facts,
        orders=orders,
        incomplete=asked.incomplete,
        repeated=asked.repeated,
        first=first,
        last=last,
        since=since,
        until=until,
        events=log.rows,
    )


def _facts(log: Log) -> pa.Table:
    wanted = pa.array(KINDS)
    kept = [batch.filter(pc.is_in(batch["kind"], value_set=wanted)) for batch in _plain(log, COLUMNS)]
    return pa.concat_tables(kept).sort_by(IN_TIME)


def _of_orders(log: Log, orders: pa.Array) -> pa.Table:
    kept = [t.filter(pc.is_in(t["order_id"], value_set=orders)) for t in _plain(log, OF_ORDERS)]
    return pa.concat_tables(kept)


def _plain(log: Log, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    schema = pa.schema([SCHEMA.field(name).with_nullable(True) for name in columns])
    for batch in batches(log, columns):
        yield pa.Table.from_batches([batch]).cast(schema)


def _refuse_disorder(log: Log, facts: pa.Table) -> None:
    """Refuse a log that has answers before the questions: its times cannot be believed."""
    asked = facts.filter(pc.equal(facts["kind"], "refund_requested"))
    answers = facts.filter(pc.is_in(facts["kind"], value_set=pa.array(ANSWERS)))
    at = pc.index_in(answers["after_sale_id"], value_set=asked["after_sale_id"], skip_nulls=True)
    early = pc.fill_null(pc.less(answers["recorded_at"], asked["recorded_at"].take(at)), False)
    if count := pc.sum(early).as_py():
        case = answers.filter(early)["after_sale_id"][0].as_py()
        raise BadInput(
            f"{log.name}: events out of order: {count} answers became known before their refund was asked "
            f"for, such as that of {case}; correct recorded_at"
        )
