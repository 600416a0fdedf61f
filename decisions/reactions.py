"""What one signal does to a standing: nothing, a note, or a move."""

from __future__ import annotations

from .people import acted
from .policy import Policy
from .standing import STRIKE_KINDS, Evidence, Rule, Signal, Standing, State, Strike, Transition
from .standing_events import is_link_to
from .standing_policy import StandingPolicy
from .strikes import struck
from .transition import base_state, effective, made, term_of


def reaction(standing: Standing, signal: Signal, policy: Policy) -> Transition | None:
    """Give what a signal changes, None when nothing."""
    if signal.kind in STRIKE_KINDS:
        return struck(standing, signal, policy)
    if signal.kind == "scored":
        return _scored(standing, signal, policy)
    if signal.kind == "abuse_confirmed":
        return _confirmed(standing, signal, policy)
    if signal.kind == "abuse_cleared":
        return _cleared(standing, signal, policy)
    if signal.kind == "link_cleared":
        return _link_cleared(standing, signal, policy)
    return acted(standing, signal, policy)


def _link_cleared(standing: Standing, signal: Signal, policy: Policy) -> Transition | None:
    account, at = signal.reference, effective(standing, signal)
    if standing.forgiven is not None and signal.place <= standing.forgiven:
        return None
    linked = any(is_link_to(s, account) for s in standing.strikes)
    if account is None or not (linked or policy.standing.points.linked_abuse):
        return None
    if any(s.kind == "link_cleared" and s.signal_id == signal.signal_id for s in standing.strikes):
        return None
    mark = Strike(signal_id=signal.signal_id, kind="link_cleared", at=signal.at, points=0, reference=account)
    return made(standing, policy, at=at, rule="link_cleared", signal=signal, lifted=account, strike=mark)


def _confirmed(standing: Standing, signal: Signal, policy: Policy) -> Transition | None:
    at = effective(standing, signal)
    if _is_outdated(standing, signal):
        return None
    if standing.abuse:
        return made(standing, policy, at=at, rule="abuse_confirmed", signal=signal)
    return made(
        standing,
        policy,
        at=at,
        rule="abuse_confirmed",
        to_state="revoked",
        signal=signal,
        abuse=True,
        held=standing.state,
        held_until=standing.until,
    )


def _cleared(standing: Standing, signal: Signal, policy: Policy) -> Transition | None:
    at = effective(standing, signal)
    if _is_outdated(standing, signal):
        return None
    if not standing.abuse:
        return made(standing, policy, at=at, rule="abuse_cleared", signal=signal)
    held = base_state(standing) if standing.held in (None, "new", "eligible") else standing.held
    return made(
        standing,
        policy,
        at=at,
        rule="abuse_cleared",
        to_state=held,
        until=standing.held_until,
        signal=signal,
        abuse=False,
    )


def _is_outdated(standing: Standing, signal: Signal) -> bool:
    return standing.verdict is not None and signal.place <= standing.verdict


def _scored(standing: Standing, signal: Signal, policy: Policy) -> Transition | None:
    if standing.reading is not None and signal.place <= standing.reading:
        return None
    enough = standing.enough_history if signal.enough_history is None else signal.enough_history
    low = enough and _is_low(standing, signal, policy.standing)
    if (low, enough) == (standing.low_score, standing.enough_history):
        return None
    at, base = effective(standing, signal), "eligible" if enough else "new"
    rule: Rule = "score_low" if low else "score_recovered"
    if low == standing.low_score:
        rule = "enough_history" if enough else "too_little_history"
    state: State | None = None
    if standing.state in ("new", "eligible"):
        state = "watch" if low and not standing.low_score else ("eligible" if base == "eligible" else "new")
    evidence: Evidence = () if signal.score is None else (("score", signal.score),)
    if low != standing.low_score and policy.standing.watch_below_score is not None:
        evidence += (("cut_off", policy.standing.watch_below_score),)
    until = None if state is None else term_of(state, at, policy.standing)
    return made(
        standing,
        policy,
        at=at,
        rule=rule,
        to_state=state,
        until=until,
        evidence=evidence,
        signal=signal,
        low_score=low,
        enough_history=enough,
    )


def _is_low(standing: Standing, signal: Signal, rules: StandingPolicy) -> bool:
    if rules.watch_below_score is None:
        return False
    if signal.score is None:
        return standing.low_score
    slack = rules.watch_hysteresis_points if standing.low_score else 0.0
    return signal.score < rules.watch_below_score + slack
