"""What becomes known of buyers between their requests, ready to be told in order."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Generic, TypeVar

import numpy as np
import pyarrow as pa

from decisions.caps import FACTS_OF_EVENTS, Fact, FactKind
from decisions.signals import signal_of_event
from decisions.standing import Signal

from .columns import Ints, micros_of
from .instants import instant

SIGNALS: Final = ("abuse_confirmed", "abuse_cleared", "dispute_closed", "refund_found_shipped")


T = TypeVar("T")


@dataclass(frozen=True)
class Told(Generic[T]):
    """What events of some kinds tell, by buyer, each buyer's in the order in which they became known.

    Attributes
    ----------
    told : sequence
        What each event tells.
    recorded : int64 (n,)
        When each became known, in microseconds.
    rows : dict
        By buyer: from which to which of them.
    """

    told: Sequence[T]
    recorded: Ints
    rows: dict[str, tuple[int, int]]

    @classmethod
    def of(cls, events: pa.Table, tell: Callable[[pa.Table], Sequence[T]]) -> Told[T]:
        """Put events, which are in the order in which they became known, beside their buyers."""
        owner = events["buyer_id"].combine_chunks().dictionary_encode()
        codes = owner.indices.to_numpy()
        by_buyer = np.argsort(codes, kind="stable")
        events = events.take(pa.array(by_buyer))
        ends = np.cumsum(np.bincount(codes, minlength=len(owner.dictionary))).tolist()
        rows = dict(zip(owner.dictionary.to_pylist(), pairwise([0, *ends]), strict=True))
        return cls(tell(events), micros_of(events["recorded_at"]), rows)

    def before(self, buyer_id: str, after: int, until: int) -> Sequence[T]:
        """Give what was told of a buyer before an instant, after the first ``after``."""
        rows = self.rows.get(buyer_id)
        if rows is None or rows[0] + after >= rows[1]:
            return ()
        begin = rows[0] + after
        return self.told[begin : begin + bisect_left(self.recorded[begin : rows[1]], until)]


def ledger_facts(events: pa.Table) -> list[Fact]:
    """Make the facts that ledgers are told, one of each event."""
    columns = (events[name].to_pylist() for name in ("kind", "after_sale_id"))
    occurred = micros_of(events["occurred_at"]).tolist()
    kinds: dict[str, FactKind] = dict(FACTS_OF_EVENTS)
    return [
        Fact(kind=kinds[kind], after_sale_id=case, at=instant(at))
        for kind, case, at in zip(*columns, occurred, strict=True)
    ]


def signals(events: pa.Table) -> list[Signal | None]:
    """Make the signals that standings hear, one of each event; None for what is none."""
    names = ("event_id", "kind", "outcome", "fault", "reason", "after_sale_id", "order_id", "amount_fen")
    columns = (events[name].to_pylist() for name in names)
    times = (micros_of(events[name]).tolist() for name in ("recorded_at", "occurred_at"))
    return [
        signal_of_event(
            kind,
            event_id=event_id,
            recorded_at=instant(recorded),
            occurred_at=instant(occurred),
            outcome=outcome,
            fault=fault,
            reference=order if case is None else case,
            reason=reason,
            fen=fen,
        )
        for event_id, kind, outcome, fault, reason, case, order, fen, recorded, occurred in zip(
            *columns, *times, strict=True
        )
    ]
