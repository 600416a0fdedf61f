"""Standings inside a group of decisions: moved before each, told of each, kept with all."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from decisions.engine import Decision
from decisions.policy import Policy
from decisions.request import BuyerEvidence, RefundRequest
from decisions.signals import signals_of_decision
from decisions.standing import Signal, Standing, Transition
from decisions.standing_machine import advance


class Heard(Protocol):
    """A buyer's standing as it is kept, and what it has not heard of yet."""

    @property
    def seen(self) -> str:
        """Up to where it is complete, in the words of whoever keeps it."""

    @property
    def signals(self) -> Sized | None:
        """What is new; None if nothing is."""

    @property
    def is_quiet(self) -> bool:
        """Whether the record, as it is, says nothing against the buyer and nothing is new."""

    def standing(self) -> Standing:
        """Read the record."""

    def told(self, now: datetime) -> list[Signal]:
        """Read the signals, those dated ahead as of now."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A standing to keep: complete for the snapshot ``seen``, after these transitions."""

    buyer_id: str
    standing: Standing
    transitions: Sequence[Transition]
    seen: str


@dataclass(slots=True)
class _Buyer:
    standing: Standing
    heard: Heard
    transitions: list[Transition] = field(default_factory=list)

    def move(self, signals: list[Signal] | tuple[Signal, ...], policy: Policy, now: datetime) -> None:
        self.standing, changed = advance(self.standing, signals, policy, now)
        self.transitions += changed


class Moving:
    """The standings that a group of decisions looks at.

    A buyer of whom nothing was heard and who is asked about under a policy without watch by score costs
    nothing here.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._buyers: dict[str, _Buyer] = {}
        self._watches_scores = policy.standing.watch_below_score is not None
        self._counts_caps = policy.standing.points.cap_hit > 0

    def before(self, buyer_id: str, heard: Heard, *, decided_at: datetime) -> Standing | None:
        """Move a standing on to the instant of a decision; None if there is nothing to be known of it."""
        buyer = self._buyers.get(buyer_id)
        if buyer is None:
            if heard.is_quiet:
                return None
            buyer = self._buyers[buyer_id] = _Buyer(heard.standing(), heard)
            buyer.move(heard.told(decided_at), self._policy, decided_at)
        else:
            buyer.move((), self._policy, decided_at)
        return buyer.standing

    def after(
        self,
        request: RefundRequest,
        made: Decision,
        *,
        heard: Heard,
        evidence: BuyerEvidence,
        decided_at: datetime,
    ) -> None:
        """Tell a standing of a decision: the score that was read, and a cap that was hit."""
        buyer = self._buyers.get(request.buyer_id)
        if buyer is None:
            hit = self._counts_caps and any(v.code == "caps" and not v.passed for v in made.rules)
            if not hit and not self._watches_scores:
                return
            buyer = self._buyers[request.buyer_id] = _Buyer(heard.standing(), heard)
        signals = signals_of_decision(
            made, request=request, buyer=evidence, policy=self._policy, decided_at=decided_at
        )
        buyer.move(signals, self._policy, decided_at)

    def drained(self) -> Sequence[Moved]:
        """Give the standings to keep, and begin a new group."""
        if not self._buyers:
            return ()
        moved, self._buyers = self.moved(), {}
        return moved

    def moved(self) -> list[Moved]:
        """Give the standings to keep: also those that only heard of something, so as not to hear it again."""
        return [
            Moved(b, one.standing, one.transitions, one.heard.seen)
            for b, one in self._buyers.items()
            if one.transitions or one.heard.signals is not None
        ]
