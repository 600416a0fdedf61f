"""A policy with everything of standing turned on, signals by day, and what becomes of a buyer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from decisions.policy import Policy
from decisions.standing import FRESH, Signal, SignalKind, Standing, Transition
from decisions.standing_machine import advance
from decisions.standing_policy import StandingPolicy, StrikePoints

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
POINTS = StrikePoints(dispute_lost=2, found_shipped=4, cap_hit=1, linked_abuse=3)


def strict(**changes: Any) -> Policy:
    """Watch from 2 points, restrict from 4, revoke from 8; strikes count 60 days; no warning is needed."""
    settings: dict[str, Any] = {
        "points": POINTS,
        "watch_points": 2,
        "restrict_points": 4,
        "revoke_points": 8,
        "strike_expires_days": 60.0,
        "watch_days": 10.0,
        "restrict_days": 20.0,
        "revoke_days": 30.0,
        "probation_days": 40.0,
        **changes,
    }
    return Policy(version="strict-1", standing=StandingPolicy(**settings))


def signal(kind: SignalKind, day: float, *, name: str | None = None, **said: Any) -> Signal:
    return Signal(signal_id=name or f"{kind}@{day}", kind=kind, at=START + day * DAY, **said)


def known(day: float = 0.0, score: float = 800.0) -> Signal:
    return signal("scored", day, score=score, enough_history=True)


def moved(
    *signals: Signal, policy: Policy | None = None, now: float = 0.0, standing: Standing = FRESH
) -> tuple[Standing, tuple[Transition, ...]]:
    """Advance a buyer to a day, or to the last signal if that is later."""
    latest = max([START + now * DAY, *(s.at for s in signals)])
    return advance(standing, signals, policy or strict(), latest)


def path(transitions: tuple[Transition, ...]) -> list[tuple[float, str, str]]:
    """Give the moves as (day, state, rule); what was only noted is left out."""
    return [((t.at - START) / DAY, t.to_state, t.rule) for t in transitions if t.to_state != t.from_state]
