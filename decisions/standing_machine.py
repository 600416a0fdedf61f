"""The standing's machine: signals and time go in, the moved standing and every change come out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from .policy import Policy
from .standing import Signal, Standing, Transition


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
    raise NotImplementedError


def objection(standing: Standing, signal: Signal) -> str | None:
    """Say why a person's action can have no effect, for an answer of 409; None when it can."""
    raise NotImplementedError
