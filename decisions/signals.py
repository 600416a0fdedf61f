"""Which signals of standing the event log and decisions give."""

from __future__ import annotations

from datetime import datetime

from .engine import Decision
from .request import BuyerEvidence, RefundRequest
from .standing import Signal


def signal_of_event(
    kind: str,
    *,
    event_id: str,
    recorded_at: datetime,
    occurred_at: datetime,
    outcome: str | None = None,
    fault: str | None = None,
    reference: str | None = None,
    fen: int | None = None,
) -> Signal | None:
    """Give the signal that an event of the log is, if any.

    What the shop, the carrier or the platform caused is no strike.
    """
    raise NotImplementedError


def signals_of_decision(
    decision: Decision, *, request: RefundRequest, buyer: BuyerEvidence, decided_at: datetime
) -> tuple[Signal, ...]:
    """Give what a decision tells the standing: the score read, and a cap that was hit."""
    raise NotImplementedError
