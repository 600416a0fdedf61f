"""What a strike does: it is noted, it warns, or it takes something away."""

from __future__ import annotations

from datetime import timedelta

from .points import points_of, total_points
from .policy import Policy
from .shanghai import day_of, microseconds_of
from .standing import Evidence, Rule, Signal, Standing, State, Strike, Transition
from .standing_policy import StandingPolicy
from .transition import effective, made, term_of


def struck(standing: Standing, signal: Signal, policy: Policy) -> Transition | None:
    """Give what a strike changes, None when it weighs nothing or counted before."""
    at, rules = effective(standing, signal), policy.standing
    points = int(getattr(rules.points, signal.kind))
    strike = Strike(
        signal_id=signal.signal_id,
        kind=signal.kind,
        at=signal.at,
        points=points,
        reference=signal.reference,
    )
    forgiven = standing.forgiven is not None and signal.place <= standing.forgiven
    if forgiven or points_of(strike, at, rules) == 0 or _is_known(standing, strike):
        return None
    total = total_points((*standing.strikes, strike), at, rules)
    state = None if standing.abuse else _leads_to(standing, signal, total, rules)
    evidence: Evidence = (("kind", signal.kind), ("points", points), ("total", total))
    rule: Rule = "probation_broken" if standing.state == "probation" and state == "revoked" else "strike"
    until = None if state is None else term_of(state, at, rules)
    if state == "restricted" and standing.state == "restricted":
        until = max(t for t in (until, standing.until) if t is not None)
    return made(
        standing,
        policy,
        at=at,
        rule=rule,
        to_state=state,
        until=until,
        evidence=evidence,
        signal=signal,
        strike=strike,
    )


def _is_known(standing: Standing, strike: Strike) -> bool:
    """Tell whether the strike counted before, or a cap hit of its day, or its account was cleared since."""
    if strike.kind == "cap_hit":
        day = day_of(microseconds_of(strike.at))
        return any(s.kind == "cap_hit" and day_of(microseconds_of(s.at)) == day for s in standing.strikes)
    return any(
        s.signal_id == strike.signal_id or (s.kind == "link_cleared" and _is_lifted_by(strike, s))
        for s in standing.strikes
    )


def _is_lifted_by(strike: Strike, mark: Strike) -> bool:
    return strike.kind == "linked_abuse" and strike.reference == mark.reference and strike.at <= mark.at


def _leads_to(standing: Standing, signal: Signal, total: float, rules: StandingPolicy) -> State | None:
    """Give the state to which a strike leads, None when it is only noted."""
    if standing.state == "revoked":
        return None
    if standing.state == "probation":
        return None if signal.kind == "linked_abuse" else "revoked"
    reached = [
        state
        for state, points in (("revoked", rules.revoke_points), ("restricted", rules.restrict_points))
        if points is not None and total >= points
    ]
    if reached and _was_warned(standing, signal, rules):
        return "revoked" if reached[0] == "revoked" else "restricted"
    watched = rules.watch_points is not None and total >= rules.watch_points
    return "watch" if standing.state in ("new", "eligible") and (reached or watched) else None


def _was_warned(standing: Standing, signal: Signal, rules: StandingPolicy) -> bool:
    """Tell whether the buyer may lose something: a warning was in time, or the policy wants none."""
    if rules.warning_grace_hours is None or standing.state == "restricted":
        return True
    if standing.warned_at is None:
        return False
    done = signal.occurred_at or signal.at
    return done >= standing.warned_at + timedelta(hours=rules.warning_grace_hours)
