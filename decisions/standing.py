"""A buyer's standing: may this buyer be refunded automatically at all, since when, why, until when.

The values only: `standing_machine.advance` moves them, `standing_events` writes them down and builds them
again. docs/standing.md draws the states.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from .message import Message
from .policy import Policy
from .request import BuyerEvidence
from .tiers import has_enough_history
from .value import value

State = Literal["new", "eligible", "watch", "restricted", "revoked", "probation"]
WITHOUT_REFUNDS: Final[frozenset[State]] = frozenset({"restricted", "revoked"})
"""In these states every request goes to a person; in the others the rules decide."""

SignalKind = Literal[
    "abuse_confirmed",
    "abuse_cleared",
    "dispute_lost",
    "found_shipped",
    "cap_hit",
    "linked_abuse",
    "link_cleared",
    "scored",
    "operator_warned",
    "operator_restricted",
    "operator_revoked",
    "operator_reinstated",
    "appeal_filed",
    "appeal_rejected",
    "appeal_granted",
]
STRIKE_KINDS: Final = ("dispute_lost", "found_shipped", "cap_hit", "linked_abuse")
OPERATOR_KINDS: Final = ("operator_warned", "operator_restricted", "operator_revoked", "operator_reinstated")
APPEAL_KINDS: Final = ("appeal_filed", "appeal_rejected", "appeal_granted")
Place = tuple[datetime, datetime, str]
"""The place of a signal in the order of signals: (at, occurred_at, signal_id)."""

Rule = Literal[
    "enough_history",
    "too_little_history",
    "abuse_confirmed",
    "abuse_cleared",
    "strike",
    "probation_broken",
    "link_cleared",
    "score_low",
    "score_recovered",
    "term_over",
    "operator",
    "appeal_filed",
    "appeal_rejected",
    "appeal_granted",
]
"""Why a standing moved, or what was noted without a move."""

Evidence = tuple[tuple[str, str | int | float | bool], ...]


@value(kw_only=True)
class Signal:
    """Something that the standing may follow from.

    Signals count in the order (at, occurred_at, signal_id), as the event log orders its rows.

    Attributes
    ----------
    signal_id : str
        Unique: the event's, the decision's or the action's id. The same id again changes nothing.
    kind : str
        ``linked_abuse``: an account that shares a link is a confirmed abuser, ``link_cleared``: it no longer
        is; ``reference`` is that account, as the same text in both.
        ``scored``: the score was read, in a decision or a sweep. ``appeal_granted``: the buyer was right.
    at : datetime
        When the platform knew, timezone-aware.
    occurred_at : datetime, optional
        When it happened; ``at`` when left out.
    actor : str
        Who: ``platform`` for what rules find, the key's name for a person.
    reference : str, optional
        The order, after-sale, dispute, linked account or appeal that it is about: for operators, never shown
        to the buyer, who must not learn of another's account.
    reason : str, optional
        A person's words. Never of the buyer's data.
    fen : int, optional
        Money at stake.
    score : float, optional
        For ``scored``: points.
    enough_history : bool, optional
        For ``scored``: what `tiers.has_enough_history` says.
    until : datetime, optional
        For ``operator_restricted``: the end; the policy's `restrict_days` when left out.
    """

    signal_id: str
    kind: SignalKind
    at: datetime
    occurred_at: datetime | None = None
    actor: str = "platform"
    reference: str | None = None
    reason: str | None = None
    fen: int | None = None
    score: float | None = None
    enough_history: bool | None = None
    until: datetime | None = None

    @property
    def place(self) -> Place:
        """Where the signal belongs among others."""
        return self.at, self.occurred_at or self.at, self.signal_id


@value(kw_only=True)
class Strike:
    """Points against a buyer: where from, when known, how many at first, about what."""

    signal_id: str
    kind: SignalKind
    at: datetime
    points: int
    reference: str | None = None


@value(kw_only=True)
class Standing:
    """One buyer's standing; `FRESH` for who was never heard of.

    Attributes
    ----------
    state : str
    since : datetime or None
        When this state began.
    until : datetime or None
        When it ends by itself: a restriction, a revocation with a term, probation. A watch ends then at the
        earliest: once points and score allow it.
    rule : str or None
        Why it began.
    strikes : tuple of Strike
        Ordered by (at, signal_id); those older than three years are dropped. One of kind ``link_cleared`` is
        no strike but remembers that those through the account were lifted.
    warned_at : datetime or None
        When the present watch began, that is, when the buyer was warned.
    low_score : bool
        The score is below the watch's cut-off and has not yet risen beyond its hysteresis.
    enough_history : bool
        Whether the buyer is known well enough to be eligible rather than new.
    abuse : bool
        A confirmation of abuse stands.
    verdict, reading : tuple or None
        Places of the last verdict on abuse and of the last score that changed something: an earlier one that
        comes late changes nothing.
    held, held_until : str, datetime or None
        The state under a confirmation of abuse, to which its clearing goes back.
    appeal : str or None
        The open appeal.
    acted : tuple of str
        Ids of people's actions that were taken into account.
    forgiven : tuple or None
        Place of the granted appeal that ended all strikes up to it.
    changed_at, latest : datetime, tuple or None
        When anything here last changed, and the place of the latest signal or end of a term that did it.
    version : int
        How many transitions it was built from.
    """

    state: State = "new"
    since: datetime | None = None
    until: datetime | None = None
    rule: Rule | None = None
    strikes: tuple[Strike, ...] = ()
    warned_at: datetime | None = None
    low_score: bool = False
    enough_history: bool = False
    abuse: bool = False
    verdict: Place | None = None
    reading: Place | None = None
    held: State | None = None
    held_until: datetime | None = None
    appeal: str | None = None
    acted: tuple[str, ...] = ()
    forgiven: Place | None = None
    changed_at: datetime | None = None
    latest: Place | None = None
    version: int = 0


FRESH: Final = Standing()


@value(kw_only=True)
class Transition:
    """One change of a standing, complete enough to build the standing again from all of them in order.

    ``from_state`` equals ``to_state`` where something was noted and nothing moved. The last fields say what
    else of the record changed; None where it did not. ``forgives`` ends all strikes, ``lifted`` those through
    the account that it names.

    Attributes
    ----------
    version : int
        The standing's version after it: 1, 2, … without a gap.
    at : datetime
        When it takes effect: the signal's instant, or the end of a term.
    place : tuple
        The signal's place in the order of signals; that of a term's end comes before the signals of its
        instant.
    rule : str
    signal_id, kind : str or None
        The signal; None when time alone did it.
    evidence : tuple of (name, value)
        What the rule looked at.
    policy_version, actor : str
    until : datetime or None
        When the state it leads to ends by itself.
    way_back : Message
        How to get back, for the buyer.
    label : str or None
        The event that the log must be told: a revocation overturned on appeal is ``abuse_cleared``.
    """

    version: int
    at: datetime
    place: Place
    from_state: State
    to_state: State
    rule: Rule
    signal_id: str | None
    kind: SignalKind | None
    evidence: Evidence
    policy_version: str
    actor: str
    until: datetime | None
    way_back: Message
    label: Literal["abuse_cleared"] | None = None
    strike: Strike | None = None
    forgives: bool = False
    lifted: str | None = None
    low_score: bool | None = None
    enough_history: bool | None = None
    abuse: bool | None = None
    held: State | None = None
    held_until: datetime | None = None
    appeal: str | None = None
    appeal_closed: bool = False


def state_of(buyer: BuyerEvidence, policy: Policy, standing: Standing | None = None) -> State:
    """Return the state in which a request is judged.

    A standing confirmation of abuse in the buyer's events revokes whatever the record says: the record may
    not have heard of it yet. Without a record, or where it knows nothing against the buyer, enough history
    makes the difference between new and eligible.
    """
    if buyer.abuse_confirmed:
        return "revoked"
    if standing is not None and standing.state not in ("new", "eligible"):
        return standing.state
    return "eligible" if has_enough_history(buyer, policy) else "new"
