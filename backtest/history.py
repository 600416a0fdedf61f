"""The part of a log that a replay needs: what was asked, what was known of it, what came of it.

A log is read in three passes, batch by batch; events of refunds, disputes and abuse, and those of the orders
that were asked about, are laid down on the disk by month. Memory holds a month of them, and while the log is
read the ids of requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from decisions.request import GoodsType
from decisions.shanghai import MICROSECOND
from features.scan import Log, open_log
from features.stream import give_back

from .disorder import refuse_disorder
from .laid_down import LaidDown, asking_of, events_of_orders, facts_in
from .months import Month
from .requests import IN_TIME, between
from .seen import Seen, asked_again, more_than_once
from .span import refuse_outside, span_of
from .spool import Spool, by_month


@dataclass(frozen=True, kw_only=True)
class History:
    """What a replay works on; its rows wait on the disk, by month, until they are asked for.

    Attributes
    ----------
    log : Log
    months : tuple of Month
        Those in which something was asked.
    incomplete, repeated : int
        Requests that could not be rebuilt, and events that asked again for what could, whenever that was.
    kinds : frozenset of str
        Which of `KINDS` the log has.
    says_who_answered : bool
        Some answer tells whose it was.
    asked_again : frozenset of str
        Orders that are asked about more than once.
    first, last : datetime
        Of all events, when they became known.
    since, until : datetime
        Requests that came in ``[since, until)`` are in it, `until` no later than just past the last event.
    events : int
        How many the log has.
    """

    log: Log
    months: tuple[Month, ...]
    incomplete: int
    repeated: int
    kinds: frozenset[str]
    says_who_answered: bool
    asked_again: frozenset[str]
    first: datetime
    last: datetime
    since: datetime
    until: datetime
    events: int
    laid_down: LaidDown

    @cached_property
    def requests(self) -> pa.Table:
        """All requests (`requests.SCHEMA` with `order_evidence.SCHEMA`), in the order in which they came.

        They stay in memory from then on: for reports, not for replaying.
        """
        return self.laid_down.requests.all()

    def requests_of(self, month: str) -> pa.Table:
        """Give the requests of a month."""
        return self.laid_down.requests.read(month)

    def asked(self, columns: list[str]) -> pa.Table:
        """Give some columns of all requests."""
        return self.laid_down.requests.all(columns)

    @property
    def fact_months(self) -> list[str]:
        """Months in which an event of `KINDS` became known."""
        return self.laid_down.facts.months

    def facts_of(self, month: str) -> pa.Table:
        """Give the events of `KINDS` of a month, in the order in which they became known."""
        return self.laid_down.facts.read(month).sort_by(IN_TIME)

    def facts(self) -> Iterator[pa.Table]:
        """Give them month by month; of a log that has none, one empty table."""
        return map(self.facts_of, self.fact_months or [""])

    @property
    def order_months(self) -> list[str]:
        """Months in which something was asked of an order."""
        return self.laid_down.orders.months

    def orders_of(self, month: str) -> pa.Table:
        """Give the events of the orders that were asked about in a month."""
        return self.laid_down.orders.read(month)


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
    past = last + MICROSECOND
    since, until = since or first, past if until is None else min(until, past)
    down, seen = LaidDown.new(), Seen(since)
    down.facts.write(by_month(map(seen.told, facts_in(log))))
    refuse_disorder(log, down.facts)
    months = down.facts.months
    seen.again = asked_again(map(down.facts.read, months), until)

    def asking(month: str) -> pa.Table:
        return seen.counting(between(asking_of(down.facts.read(month)), None, until))

    down.orders.write(events_of_orders(log, {m: asking(m)["order_id"].unique() for m in months}))
    down.requests.write((m, seen.asked(asking(m), down.orders.read(m), goods)) for m in months)
    give_back()
    return History(
        log=log,
        months=tuple(_months(down.requests)),
        incomplete=seen.incomplete,
        repeated=seen.repeated,
        kinds=frozenset(seen.kinds),
        says_who_answered=seen.answerers,
        asked_again=frozenset(more_than_once(down.requests.all(["order_id"])["order_id"]).to_pylist()),
        first=first,
        last=last,
        since=since,
        until=until,
        events=log.rows,
        laid_down=down,
    )


def _months(requests: Spool) -> Iterator[Month]:
    start = 0
    for month in requests.months:
        yield Month(month, start, start := start + requests.rows(month))
