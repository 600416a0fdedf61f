"""The event log as training reads it: integer buyers and orders, times in microseconds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import BadInput

DAY_US: Final = 86_400_000_000
MAX_SILENCE: Final = timedelta(days=14)
"""How long a shop may stay without a record, as over a holiday, and its history still count as known."""
KEYS: Final = ("buyer_id", "order_id", "shop_id")
CODES: Final = ("kind", "stage", "fault", "outcome", "goods_type")


def micros(at: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """Turn microseconds since the epoch into a time in UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(us))


@dataclass(frozen=True)
class TrainingLog:
    """Events of the contract, ready for labels and populations.

    Attributes
    ----------
    events : pa.Table
        The contract's columns, cut to what was recorded before `known_until`.
    known_until : datetime
        Everything recorded before it is here; labels mature by it.
    """

    events: pa.Table
    known_until: datetime

    @cached_property
    def buyer_ids(self) -> pa.Array:
        """Buyers in the order of their integer codes."""
        return self._encoded("buyer_id").dictionary

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per event; `buyer`, `order`, `shop`: codes, -1 for none; both times in microseconds."""
        columns = {
            name: self.events[name].cast(pa.int64()).to_numpy() for name in ("occurred_at", "recorded_at")
        }
        columns |= {name: _codes(self._encoded(name)) for name in KEYS}
        columns |= {name: _category(self._encoded(name)) for name in CODES}
        columns |= {name: _floats(self.events[name]) for name in ("amount_fen", "line_count")}
        names = {
            "buyer_id": "buyer",
            "order_id": "order",
            "shop_id": "shop",
            "occurred_at": "occurred",
            "recorded_at": "recorded",
        }
        return pd.DataFrame(columns).rename(columns=names)

    def of(self, kind: str) -> pd.DataFrame:
        """Events of one kind."""
        return self._by_kind.get(kind, self.frame.iloc[:0])

    @cached_property
    def _by_kind(self) -> dict[str, pd.DataFrame]:
        return {str(kind): rows for kind, rows in self.frame.groupby("kind", observed=True)}

    def _encoded(self, name: str) -> pa.DictionaryArray:
        column = self.events[name].combine_chunks()
        return pc.dictionary_encode(column)


def training_log(events: pa.Table, *, until: datetime | None = None) -> TrainingLog:
    """Cut the events to what was recorded before `until`; without it, all of them are known.

    The end of an uncut log is one microsecond after its last record.

    Raises
    ------
    BadInput
        No event at all, or `until` lies more than `MAX_SILENCE` after the last: a label of that time would
        seem mature although nothing is known of it.
    """
    last = pc.max(events["recorded_at"].cast(pa.int64())).as_py()
    if last is None:
        raise BadInput("the event log is empty: nothing to learn from")
    end = instant(last + 1)
    if until is None:
        return TrainingLog(events, end)
    if until - end > MAX_SILENCE:
        raise BadInput(
            f"the history ends {end:%Y-%m-%d}, nothing is known up to {until:%Y-%m-%d}: leave the date out "
            f"or give one at most {MAX_SILENCE.days} days later"
        )
    events = events.filter(pc.less(events["recorded_at"], pa.scalar(until, events["recorded_at"].type)))
    return TrainingLog(events, until)


def _codes(encoded: pa.DictionaryArray) -> NDArray[np.int64]:
    found = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.asarray(found, dtype=np.int64)


def _category(encoded: pa.DictionaryArray) -> pd.Categorical:
    return pd.Categorical.from_codes(_codes(encoded), categories=encoded.dictionary.to_pylist())


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(column.cast(pa.float64()).to_numpy())
