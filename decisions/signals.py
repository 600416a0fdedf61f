"""Which signals of standing the event log and decisions give."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from .engine import Decision
from .policy import Policy
from .request import BuyerEvidence, RefundRequest
from .standing import Signal, SignalKind
from .tiers import has_enough_history

_KINDS: Final[dict[str, SignalKind]] = {
    "abuse_confirmed": "abuse_confirmed",
    "abuse_cleared": "abuse_cleared",
    "dispute_closed": "dispute_lost",
    "refund_found_shipped": "found_shipped",
    "peer_abuse_confirmed": "linked_abuse",
    "peer_abuse_cleared": "link_cleared",
}
_BUYERS: Final = (None, "buyer")
"""Faults that may be held against a buyer; a log need not know whose it was."""


def signal_of_event(
    kind: str,
    *,
    event_id: str,
    recorded_at: datetime,
    occurred_at: datetime,
    outcome: str | None = None,
    fault: str | None = None,
    reference: str | None = None,
    reason: str | None = None,
    fen: int | None = None,
) -> Signal | None:
    """Give the signal that an event of the log is, if any.

    What the shop, the carrier or the platform caused is no strike, nor is what was nobody's fault.

    Parameters
    ----------
    kind : str
        Of the event contract, or ``peer_abuse_confirmed`` and ``peer_abuse_cleared`` of a linked account.
    reference : str, optional
        The order, after-sale or linked account that it is about.
    """
    told = _KINDS.get(kind)
    if told is None or (kind == "dispute_closed" and outcome != "merchant"):
        return None
    if told in ("dispute_lost", "found_shipped") and fault not in _BUYERS:
        return None
    return Signal(
        signal_id=event_id,
        kind=told,
        at=recorded_at,
        occurred_at=occurred_at,
        reference=reference,
        reason=reason,
        fen=fen,
    )


def signals_of_decision(
    decision: Decision,
    *,
    request: RefundRequest,
    buyer: BuyerEvidence,
    policy: Policy,
    decided_at: datetime,
) -> tuple[Signal, ...]:
    """Give what a decision tells the standing: the score that was read, and a cap that was hit.

    The ids follow from the after-sale's, so that a decision told twice counts once.
    """
    after_sale_id = request.after_sale_id
    read = Signal(
        signal_id=f"scored:{after_sale_id}",
        kind="scored",
        at=decided_at,
        reference=after_sale_id,
        score=buyer.score,
        enough_history=has_enough_history(buyer, policy),
    )
    if all(verdict.passed for verdict in decision.rules if verdict.code == "caps"):
        return (read,)
    hit = Signal(
        signal_id=f"cap_hit:{after_sale_id}",
        kind="cap_hit",
        at=decided_at,
        reference=after_sale_id,
        fen=request.refund_amount_fen,
    )
    return (hit, read)
