"""The standing's machine: signals and time go in, the moved standing and every change come out.

Signals count in their order; before each, terms that ended by then end. A signal that comes late, after a
later change was made, takes effect at that change: what a buyer was told is not rewritten. Nothing here
depends on how signals are cut into calls, as long as each call comes after the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from .points import changes_of, total_points
from .policy import Policy
from .reactions import reaction
from .standing import Signal, Standing, State, Transition
from .standing_events import folded
from .transition import base_state, made

_TERMS: Final[frozenset[State]] = frozenset({"restricted", "revoked", "probation"})


def advance(
    standing: Standing, signals: Iterable[Signal], policy: Policy, now: datetime
) -> tuple[Standing, tuple[Transition, ...]]:
    """Move a standing by what became known and by the time that passed.

    Parameters
    ----------
    standing : Standing
        `standing.FRESH` at first.
    signals : iterable of Signal
        In any order; those that were taken into account before change nothing.
    policy : Policy
    now : datetime
        Terms that end by then end; timezone-aware.

    Returns
    -------
    (Standing, tuple of Transition)
        The transitions in order; folding them onto `standing` gives the returned standing.
    """
    made_so_far: list[Transition] = []
    for signal in sorted(signals, key=lambda s: s.place):
        standing = _pass_time(standing, policy, signal.at, made_so_far)
        changed = reaction(standing, signal, policy)
        if changed is not None:
            made_so_far.append(changed)
            standing = folded(standing, changed)
    standing = _pass_time(standing, policy, now, made_so_far)
    return standing, tuple(made_so_far)


def _pass_time(standing: Standing, policy: Policy, now: datetime, made_so_far: list[Transition]) -> Standing:
    while standing.until is not None:
        ended = _ended(standing, policy, now)
        if ended is None:
            break
        made_so_far.append(ended)
        standing = folded(standing, ended)
    return standing


def _ended(standing: Standing, policy: Policy, now: datetime) -> Transition | None:
    """Give the transition by which the state ends by itself until now, if it does."""
    until, changed_at = standing.until, standing.changed_at
    if standing.abuse or until is None or changed_at is None:
        return None
    at: datetime | None = max(until, changed_at)
    if standing.state == "watch":
        at = _calm_from(standing, policy, max(until, changed_at), now)
    elif standing.state not in _TERMS:
        return None
    if at is None or at > now:
        return None
    state = _after_term(standing, policy, at)
    ends = at + timedelta(days=policy.standing.probation_days) if state == "probation" else None
    if state == "watch":
        ends = at + timedelta(days=policy.standing.watch_days)
    points = total_points(standing.strikes, at, policy.standing)
    return made(
        standing, policy, at=at, to_state=state, rule="term_over", until=ends, evidence=(("points", points),)
    )


def _after_term(standing: Standing, policy: Policy, at: datetime) -> State:
    if standing.state == "revoked":
        return "probation"
    if standing.state == "restricted" and not _is_calm(standing, policy, at):
        return "watch"
    return base_state(standing)


def _calm_from(standing: Standing, policy: Policy, earliest: datetime, now: datetime) -> datetime | None:
    """Give the first instant from `earliest` to now at which nothing keeps the watch up."""
    if earliest > now or standing.low_score:
        return None
    later = (at for at in changes_of(standing.strikes, policy.standing) if earliest < at <= now)
    return next((at for at in (earliest, *later) if _is_calm(standing, policy, at)), None)


def _is_calm(standing: Standing, policy: Policy, at: datetime) -> bool:
    keeps = policy.standing.watch_points
    below = keeps is None or total_points(standing.strikes, at, policy.standing) < keeps
    return below and not standing.low_score
