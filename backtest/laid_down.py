"""What a replay needs of a log, laid down on the disk by month."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from features.events import SCHEMA
from features.scan import Log, batches
from features.scratch import Scratch

from .order_evidence import SCHEMA as EVIDENCE
from .requests import SCHEMA as REQUESTS
from .spool import Spool, by_month

REFUSALS: Final = ("refund_rejected", "refund_withdrawn")
ANSWERS: Final = ("refund_granted", *REFUSALS)
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


@dataclass(frozen=True)
class LaidDown:
    """The rows of a history on the disk."""

    folder: Scratch
    facts: Spool
    orders: Spool
    requests: Spool

    @classmethod
    def new(cls) -> LaidDown:
        """Begin with none."""
        folder, requests = Scratch(), pa.schema([*REQUESTS, *EVIDENCE])
        return cls(
            folder,
            Spool(folder, "facts", plain_schema(COLUMNS)),
            Spool(folder, "orders", plain_schema(OF_ORDERS)),
            Spool(folder, "requests", requests),
        )

    def of_log(
        self, log: Log, name: str, columns: tuple[str, ...], kept: Callable[[pa.Table], pa.Table]
    ) -> Spool:
        """Lay down what is kept of a log's events."""
        spool = Spool(self.folder, name, plain_schema(columns))
        spool.write(by_month(kept(table) for table in plain(log, columns)))
        return spool


def asking_of(facts: pa.Table) -> pa.Table:
    """Keep the events that ask for a refund."""
    return facts.filter(pc.equal(facts["kind"], "refund_requested"))


def facts_in(log: Log) -> Iterator[pa.Table]:
    """Read the events of `KINDS`, some at a time."""
    wanted = pa.array(KINDS)
    return (batch.filter(pc.is_in(batch["kind"], value_set=wanted)) for batch in plain(log, COLUMNS))


def events_of_orders(log: Log, orders: dict[str, pa.Array]) -> Iterator[tuple[str, pa.Table]]:
    """Give the events of the orders that were asked about, by the months in which they were."""
    every = pa.chunked_array([pa.array([], pa.string()), *orders.values()]).unique()
    for batch in plain(log, OF_ORDERS):
        some = batch.filter(pc.is_in(batch["order_id"], value_set=every, skip_nulls=True))
        for month, asked in orders.items():
            yield month, some.filter(pc.is_in(some["order_id"], value_set=asked, skip_nulls=True))


def plain_schema(columns: tuple[str, ...]) -> pa.Schema:
    """Give the contract's types of some columns."""
    return pa.schema([SCHEMA.field(name).with_nullable(True) for name in columns])


def plain(log: Log, columns: tuple[str, ...]) -> Iterator[pa.Table]:
    """Read some columns of a log in the contract's types."""
    schema = plain_schema(columns)
    for batch in batches(log, columns):
        yield pa.Table.from_batches([batch]).cast(schema)
