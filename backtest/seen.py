"""What is counted while a log goes by, and which of its requests are new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from decisions.request import GoodsType
from features.events import TIMESTAMP

from .laid_down import ANSWERS, asking_of
from .order_evidence import order_evidences
from .requests import Asked, request_table


@dataclass
class Seen:
    """What is counted while a log goes by.

    Attributes
    ----------
    since : datetime
        Requests from here on are decided.
    again : pa.Array
        After-sales that are asked for more than once; of the others nothing need be kept.
    rebuilt : pa.Array
        Those of them whose request was rebuilt.
    """

    since: datetime
    kinds: set[str] = field(default_factory=set)
    answerers: bool = False
    incomplete: int = 0
    repeated: int = 0
    again: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    rebuilt: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))

    def told(self, facts: pa.Table) -> pa.Table:
        """Note what kinds of events there are, and whether they say who answered."""
        self.kinds.update(facts["kind"].unique().to_pylist())
        who = facts.filter(pc.is_valid(facts["actor"]))["kind"]
        self.answerers |= bool(pc.any(pc.is_in(who, value_set=pa.array(ANSWERS))).as_py())
        return facts

    def counting(self, asking: pa.Table) -> pa.Table:
        """Leave out what was asked before the first request, unless it is asked again."""
        again = pc.is_in(asking["after_sale_id"], value_set=self.again)
        return asking.filter(pc.or_(again, pc.invert(self._early(asking))))

    def asked(self, asking: pa.Table, orders: pa.Table, goods: GoodsType | None) -> pa.Table:
        """Rebuild a month's requests, with what was known of their orders."""
        is_early = self._early(asking)
        if len(early := asking.filter(is_early)):
            self._rebuild(early, orders, goods)
        made = self._rebuild(asking.filter(pc.invert(is_early)), orders, goods)
        self.incomplete += made.incomplete
        self.repeated += made.repeated
        known = order_evidences(made.table, orders)
        names = made.table.column_names + known.column_names
        return pa.table([*made.table.columns, *known.columns], names)

    def _early(self, asking: pa.Table) -> pa.ChunkedArray:
        return pc.less(asking["recorded_at"], pa.scalar(self.since, TIMESTAMP))

    def _rebuild(self, asking: pa.Table, orders: pa.Table, goods: GoodsType | None) -> Asked:
        made = request_table(asking, orders, goods=goods, before=self.rebuilt)
        cases = made.table["after_sale_id"]
        kept = cases.filter(pc.is_in(cases, value_set=self.again))
        self.rebuilt = pa.concat_arrays([self.rebuilt, *kept.chunks])
        return made


def asked_again(facts: Iterable[pa.Table], until: datetime) -> pa.Array:
    """Give the after-sales that are asked for more than once before an instant."""
    cases = [pa.array([], pa.string())]
    for table in map(asking_of, facts):
        asked = table.filter(pc.less(table["recorded_at"], pa.scalar(until, TIMESTAMP)))
        cases += asked["after_sale_id"].drop_null().chunks
    return more_than_once(pa.chunked_array(cases))


def more_than_once(ids: pa.ChunkedArray) -> pa.Array:
    """Give the ids that come more than once."""
    counts = pc.value_counts(ids.combine_chunks())
    return counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
