"""What people do to a standing: operators' actions and appeals."""

from __future__ import annotations

from .policy import Policy
from .standing import WITHOUT_REFUNDS, Signal, Standing, State, Transition
from .transition import base_state, effective, made, term_of


def objection(standing: Standing, signal: Signal) -> str | None:
    """Say why a person's action can have no effect, for an answer of 409; None when it can."""
    if signal.signal_id in standing.acted:
        return "this action was taken before"
    if standing.latest is not None and signal.place < standing.latest:
        return f"the standing changed at {standing.latest[0].isoformat()}, after this action; look again"
    state, kind = standing.state, signal.kind
    if kind == "appeal_filed":
        if standing.appeal is not None:
            return f"appeal {standing.appeal} is still open"
        return "there is nothing to appeal against" if state in ("new", "eligible") else None
    if kind in ("appeal_rejected", "appeal_granted"):
        if standing.appeal is None:
            return "no appeal is open"
        other = signal.reference not in (None, standing.appeal)
        return f"the open appeal is {standing.appeal}" if other else None
    return _operator_objection(standing, signal)


def _operator_objection(standing: Standing, signal: Signal) -> str | None:
    state, kind = standing.state, signal.kind
    if kind == "operator_warned" and state not in ("new", "eligible"):
        return f"the buyer is {state} already"
    if kind == "operator_restricted":
        if state == "revoked":
            return "the buyer is revoked; reinstate first"
        if signal.until is not None and signal.until <= effective(standing, signal):
            return "the restriction would have ended before it began"
    if kind == "operator_revoked" and _revoked_for_good(standing):
        return "the buyer is revoked already"
    if kind == "operator_reinstated":
        if standing.abuse:
            return "abuse is confirmed; clear it, or decide the buyer's appeal"
        if state in ("new", "eligible"):
            return f"the buyer is {state}; there is nothing to give back"
    return None


def _revoked_for_good(standing: Standing) -> bool:
    if standing.abuse:
        return standing.held == "revoked" and standing.held_until is None
    return standing.state == "revoked" and standing.until is None


def acted(standing: Standing, signal: Signal, policy: Policy) -> Transition | None:
    """Give what a person's action changes, None when there is an objection."""
    if objection(standing, signal) is not None:
        return None
    if signal.kind.startswith("appeal"):
        return _appeal(standing, signal, policy)
    if standing.abuse and signal.kind == "operator_revoked":
        at = effective(standing, signal)
        return made(standing, policy, at=at, rule="operator", signal=signal, held="revoked")
    return _operator(standing, signal, policy)


def _operator(standing: Standing, signal: Signal, policy: Policy) -> Transition:
    at, state = effective(standing, signal), _led_to(standing, signal)
    until = term_of(state, at, policy.standing)
    if state == "restricted":
        until = signal.until or until
    if state == "revoked":
        until = None
    return made(standing, policy, at=at, rule="operator", to_state=state, until=until, signal=signal)


def _led_to(standing: Standing, signal: Signal) -> State:
    if signal.kind == "operator_warned":
        return "watch"
    if signal.kind == "operator_restricted":
        return "restricted"
    if signal.kind == "operator_revoked":
        return "revoked"
    return "probation" if standing.state in WITHOUT_REFUNDS else base_state(standing)


def _appeal(standing: Standing, signal: Signal, policy: Policy) -> Transition:
    at = effective(standing, signal)
    if signal.kind == "appeal_filed":
        appeal = signal.reference or signal.signal_id
        return made(standing, policy, at=at, rule="appeal_filed", signal=signal, appeal=appeal)
    if signal.kind == "appeal_rejected":
        return made(standing, policy, at=at, rule="appeal_rejected", signal=signal, appeal_closed=True)
    revoked = standing.state == "revoked"
    return made(
        standing,
        policy,
        at=at,
        rule="appeal_granted",
        to_state=base_state(standing),
        signal=signal,
        appeal_closed=True,
        forgives=True,
        abuse=False if standing.abuse else None,
        label="abuse_cleared" if revoked else None,
    )
