"""Which policy is in force at an instant, read off what was put in force."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from decisions.policy import Policy

from .store.policies import Activation

ALWAYS: Final = datetime.min.replace(tzinfo=UTC)
NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds: the version (None is the shipped policy), and whether the kill switch is thrown."""

    version: str | None
    stopped: bool
    before: tuple[str | None, ...] = ()

    @property
    def can_roll_back(self) -> bool:
        """Tell whether there was another before."""
        return bool(self.before)


def begun(acts: Iterable[Activation], at: datetime) -> list[Activation]:
    """Give what has begun by an instant, in the order in which it began.

    What was to begin at once has begun whatever the clock says, and such acts count in the order in which
    they were made: a kill switch must not wait for a clock that is behind, nor be undone by one set back.
    """
    latest, done = ALWAYS, []
    for act in sorted(acts, key=lambda act: act.activation_id):
        latest = max(latest, act.made_at)
        if act.starts_at is None or act.starts_at <= at:
            done.append((act.starts_at or latest, act.activation_id, act))
    return [act for *_, act in sorted(done, key=lambda one: one[:2])]


def in_force(acts: Iterable[Activation], at: datetime) -> InForce:
    """Read what is in force at an instant; a rollback goes back by one, a second one by another."""
    stack: list[str | None] = [None]
    stopped = False
    for act in begun(acts, at):
        if act.action in ("stop", "resume"):
            stopped = act.action == "stop"
        elif act.action == "rollback":
            stack = stack[:-1] or [None]
        elif act.version != stack[-1]:
            stack.append(act.version)
    return InForce(stack[-1], stopped, tuple(stack[:-1]))


def holds(acts: Sequence[Activation], at: datetime) -> tuple[datetime, datetime]:
    """Give from when until when nothing begins around an instant: ``[from, until)``."""
    starts = [act.starts_at for act in acts if act.starts_at is not None]
    since = max((start for start in starts if start <= at), default=ALWAYS)
    return since, min((start for start in starts if start > at), default=NEVER)


def stopped(policy: Policy) -> Policy:
    """Throw the kill switch of a policy; the version says so, since a version names one content."""
    return replace(policy, version=f"{policy.version}+stopped", stopped=True)
