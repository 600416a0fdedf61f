"""The sweeps of a replay: every night all standings are moved on, by the service's own rule of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol

from decisions.policy import Policy
from decisions.shanghai import DAY_US
from decisions.standing import Signal, Transition
from models.buyer_score import BuyerScore
from models.deciding.path import Model
from models.deciding.sweeping import Night, night_until

from .book import NOTHING_HEARD, Book, Heard
from .instants import instant
from .known import Known
from .night_scores import Reads

Moves = list[tuple[str, Transition]]
AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


class Scorer(Model, Protocol):
    """A model as a replay uses it: what a decision says of it, and its score."""

    @property
    def score(self) -> BuyerScore:
        """The score."""


class Nights:
    """Sweeps under one policy, from the last night before the first request on.

    Parameters
    ----------
    policy : Policy
    known : Known
    book : Book
        Moved on by every sweep.
    """

    def __init__(self, policy: Policy, known: Known, book: Book) -> None:
        self._policy, self._known, self._book = policy, known, book
        self.due = AT_ONCE
        """When the next sweep is due; before any, at once."""

    def pass_until(self, at: int, model: Scorer, made: Moves) -> None:
        """Sweep on every night until an instant, it included; the moves are added to ``made``."""
        swept = self._book.swept
        for night in range(swept + DAY_US if swept else night_until(at), at + 1, DAY_US):
            watches = Night(self._policy, instant(night)).watches_scores
            self.sweep(night, made, self._known.scores(night, model.score) if watches else None)
        self.due = instant(self._book.swept + DAY_US) if self._book.swept else AT_ONCE

    def sweep(self, at: int, made: Moves, reads: Reads | None = None) -> None:
        """Move every standing of which something is due.

        Parameters
        ----------
        reads : Reads, optional
            Everybody's score, where it is read.
        """
        night, book, known = Night(self._policy, instant(at)), self._book, self._known
        linked = known.linked(at) if self._policy.standing.points.linked_abuse else {}
        due = {b for b, s in book.standings.items() if s.until is not None and s.until <= night.now}
        due.update(linked, known.heard_between(book.swept, at))
        if reads is not None:
            due.update(book.standings, reads.low(night))
        for buyer_id in sorted(due):
            heard = hear(book, buyer_id, known.signals_until(buyer_id, book.heard.get(buyer_id, 0), at))
            read = None if reads is None else reads.of(buyer_id)
            moved = night.moved(buyer_id, heard, linked=linked.get(buyer_id, ()), read=read)
            if moved is not None:
                book.standings[buyer_id] = moved.standing
                made += [(buyer_id, transition) for transition in moved.transitions]
        book.swept = at


def hear(book: Book, buyer_id: str, new: Sequence[Signal | None]) -> Heard:
    """Put what is new beside a buyer's standing; it counts as heard.

    A dispute that followed a refusal says nothing where there was no refusal.
    """
    if new:
        book.heard[buyer_id] = book.heard.get(buyer_id, 0) + len(new)
        if book.undisputed:
            new = [None if s is not None and _never_came(s, book) else s for s in new]
    standing = book.standings.get(buyer_id)
    return Heard(standing, new or None) if new or standing is not None else NOTHING_HEARD


def _never_came(signal: Signal, book: Book) -> bool:
    return signal.kind == "dispute_lost" and signal.reference in book.undisputed
