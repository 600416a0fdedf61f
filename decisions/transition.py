"""How a transition is made: what every one of them says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from .policy import Policy
from .standing import Evidence, Rule, Signal, Standing, State, Transition
from .standing_policy import StandingPolicy
from .way_back import way_back


def base_state(standing: Standing) -> State:
    """Give the state of a buyer against whom there is nothing."""
    return "eligible" if standing.enough_history else "new"


def made(
    standing: Standing,
    policy: Policy,
    *,
    at: datetime,
    rule: Rule,
    to_state: State | None = None,
    until: datetime | None = None,
    evidence: Evidence = (),
    signal: Signal | None = None,
    **changes: Any,
) -> Transition:
    """Make the transition that follows a standing; without `to_state` the state and its end stay."""
    state, ends = (standing.state, standing.until) if to_state is None else (to_state, until)
    return Transition(
        version=standing.version + 1,
        at=at,
        place=(at, at, "") if signal is None else signal.place,
        from_state=standing.state,
        to_state=state,
        rule=rule,
        signal_id=None if signal is None else signal.signal_id,
        kind=None if signal is None else signal.kind,
        evidence=evidence + _said(signal),
        policy_version=policy.version,
        actor="platform" if signal is None else signal.actor,
        until=ends,
        way_back=way_back(state, ends),
        **changes,
    )


def _said(signal: Signal | None) -> Evidence:
    if signal is None:
        return ()
    said = (("reference", signal.reference), ("reason", signal.reason), ("fen", signal.fen))
    return tuple((name, value) for name, value in said if value is not None)


def effective(standing: Standing, signal: Signal) -> datetime:
    """Give when a signal takes effect: a late one at the last change."""
    return signal.at if standing.changed_at is None else max(signal.at, standing.changed_at)


def term_of(state: State, at: datetime, rules: StandingPolicy) -> datetime | None:
    """Give when a state that begins now ends by itself; None when it does not."""
    days = {
        "watch": rules.watch_days,
        "restricted": rules.restrict_days,
        "revoked": rules.revoke_days,
        "probation": rules.probation_days,
    }.get(state)
    return None if days is None else at + timedelta(days=days)
