"""One standing on one night: what a sweep makes of what was heard, of linked accounts, of the score.

Who sweeps brings what is known at the sweep's instant: the service reads it from its store, a replay keeps it
in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from decisions.policy import Policy
from decisions.request import BuyerEvidence
from decisions.shanghai import DAY_US, day_start
from decisions.standing import Signal, Standing
from decisions.standing_events import is_link_to
from decisions.standing_machine import advance
from decisions.tiers import has_enough_history

from .moving import Heard, Moved

NIGHT_US: Final = 3 * 3_600_000_000
"""A replay sweeps at three in the morning of Shanghai, in microseconds from midnight."""


class Kept(Heard, Protocol):
    """A standing of which a sweep must know whether there is a record at all."""

    @property
    def record(self) -> object | None:
        """The record; None of a buyer of whom nothing was ever kept."""


@dataclass(frozen=True, slots=True)
class PeerVerdict:
    """The last word on an account that shares a link."""

    peer: str
    event_id: str
    kind: str
    occurred_at: datetime
    known_at: datetime


@dataclass(frozen=True, slots=True)
class Night:
    """What one sweep goes by."""

    policy: Policy
    now: datetime

    @property
    def watches_scores(self) -> bool:
        """Whether everybody's score must be read."""
        return self.policy.standing.watch_below_score is not None

    def moved(
        self,
        buyer_id: str,
        heard: Kept,
        *,
        linked: Sequence[PeerVerdict] = (),
        read: BuyerEvidence | None = None,
    ) -> Moved | None:
        """Move one standing; None if there is nothing to keep.

        Parameters
        ----------
        linked : sequence of PeerVerdict
            On the accounts that share a link with the buyer.
        read : BuyerEvidence, optional
            By what is known now, where the policy watches scores. It says nothing of a buyer of whom nothing
            was kept and whose score is not low.
        """
        before = heard.standing()
        signals = heard.told(self.now) + self._of_links(linked, before)
        if read is not None and (heard.record is not None or self.is_low(read.score)):
            signals.append(self._of_score(read))
        after, changed = advance(before, signals, self.policy, self.now)
        if not changed and heard.signals is None:
            return None
        return Moved(buyer_id, after, changed, heard.seen)

    def is_low(self, score: float) -> bool:
        """Tell whether a score is below that from which the policy watches."""
        below = self.policy.standing.watch_below_score
        return below is not None and score < below

    def _of_score(self, read: BuyerEvidence) -> Signal:
        return Signal(
            signal_id=f"swept:{self.now.isoformat()}",
            kind="scored",
            at=self.now,
            score=read.score,
            enough_history=has_enough_history(read, self.policy),
        )

    def _of_links(self, about: Sequence[PeerVerdict], before: Standing) -> list[Signal]:
        """Give the signals of linked accounts; a clearing is one only where the confirmation counted."""
        return [
            Signal(
                signal_id=one.event_id,
                kind="linked_abuse" if one.kind == "abuse_confirmed" else "link_cleared",
                at=min(one.known_at, self.now),
                occurred_at=min(one.occurred_at, self.now),
                reference=one.peer,
            )
            for one in about
            if one.kind == "abuse_confirmed" or any(is_link_to(s, one.peer) for s in before.strikes)
        ]


def night_until(us: int) -> int:
    """Give the last instant of a nightly sweep until an instant, it included; microseconds since 1970."""
    night = day_start(us) + NIGHT_US
    return night if night <= us else night - DAY_US
