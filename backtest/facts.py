"""What becomes known of buyers between their requests, ready to be told in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from decisions.caps import FACTS_OF_EVENTS, Fact, FactKind
from decisions.signals import signal_of_event
from decisions.standing import Signal

from .columns import Ints, micros_of, places_of
from .instants import instant

SIGNALS: Final = ("abuse_confirmed", "abuse_cleared", "dispute_closed", "refund_found_shipped")


@dataclass(frozen=True)
class Told:
    """Events of some kinds by buyer, each buyer's in the order in which they became known.

    ``known_by`` gives, for each request, the row up to which its buyer's events were known before it;
    ``begin`` and ``end`` each buyer's rows.
    """

    events: pa.Table
    begin: dict[str, int]
    end: dict[str, int]
    known_by: list[int]

    @classmethod
    def of(cls, facts: pa.Table, requests: pa.Table, kinds: tuple[str, ...], *, cases: bool) -> Told:
        """Take events of some kinds; with ``cases`` only those that name an after-sale."""
        wanted = pc.is_in(facts["kind"], value_set=pa.array(kinds))
        events = facts.filter(pc.and_(wanted, pc.is_valid(facts["after_sale_id"])) if cases else wanted)
        buyers = pa.chunked_array([*events["buyer_id"].chunks, *requests["buyer_id"].chunks]).unique()
        owner, asker = (places_of(t["buyer_id"], buyers) for t in (events, requests))
        by_buyer = np.argsort(owner, kind="stable")
        events, owner = events.take(pa.array(by_buyer)), owner[by_buyer]
        start = np.searchsorted(owner, np.arange(len(buyers) + 1))
        names = buyers.to_pylist()
        return cls(
            events,
            dict(zip(names, start[:-1].tolist(), strict=True)),
            dict(zip(names, start[1:].tolist(), strict=True)),
            _known_by(owner, micros_of(events["recorded_at"]), asker, micros_of(requests["requested_at"])),
        )


def _known_by(owner: Ints, recorded: Ints, asker: Ints, asked_at: Ints) -> list[int]:
    """Find, for each request, the first of its buyer's rows that was not known before it."""
    times, rank = np.unique(np.concatenate([recorded, asked_at]), return_inverse=True)
    base = len(times) + 1
    known = owner * base + rank[: len(recorded)]
    found = np.searchsorted(known, asker * base + rank[len(recorded) :], side="left")
    return list(found.tolist())


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
