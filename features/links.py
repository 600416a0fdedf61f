"""What a buyer's history learns from accounts that share a device, an address or a payer.

Links cross buyers, features do not: so every link is turned into events of the buyer's own history.
``peer_linked`` says that another account is now known to share the link; ``peer_abuse_confirmed`` and
``peer_abuse_cleared`` carry that account's standing over. Each is known from the moment at which all
of its parts were known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

MAX_ACCOUNTS_PER_LINK: Final = 64
"""Only the first accounts on a link are peers: a dormitory's address says nothing of anybody."""


class Link(NamedTuple):
    """An account seen with a link; ``recorded_at`` in microseconds."""

    link_type: str
    link_value: str
    recorded_at: int
    buyer_id: str


class Verdict(NamedTuple):
    """An account's ``abuse_confirmed`` or ``abuse_cleared`` event; verdicts compare in the log's order."""

    recorded_at: int
    occurred_at: int
    event_id: str
    buyer_id: str
    kind: str


class PeerEvent(NamedTuple):
    """A derived event in the history of ``buyer_id`` about the account ``peer_id``."""

    buyer_id: str
    recorded_at: int
    kind: str
    link_type: str | None
    peer_id: str


def peer_events(
    links: Iterable[Link], verdicts: Iterable[Verdict], *, of: str | None = None
) -> Iterator[PeerEvent]:
    """Derive the peer events of all accounts, in no particular order.

    Parameters
    ----------
    links : iterable of Link
        All that are known of each link value, or at least those of its first 64 accounts.
    verdicts : iterable of Verdict
    of : str, optional
        Derive those of one account only: a link of 64 accounts has 64 times as many in all.
    """
    known_since = _pairs(links, of)
    since_any: dict[tuple[str, str], int] = {}
    for (buyer, peer, link_type), when in known_since.items():
        yield PeerEvent(buyer, when, "peer_linked", link_type, peer)
        since_any[buyer, peer] = min(when, since_any.get((buyer, peer), when))
    if not since_any:
        return
    of_account: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        of_account[verdict.buyer_id].append(verdict)
    for (buyer, peer), when in since_any.items():
        yield from _carried_over(buyer, when, of_account.get(peer, ()))


def _carried_over(buyer: str, linked_at: int, verdicts: Iterable[Verdict]) -> Iterator[PeerEvent]:
    """Yield a peer's standing when linked and at every instant after that which brought a verdict."""
    last = {max(linked_at, verdict.recorded_at): verdict for verdict in sorted(verdicts)}
    for when, verdict in last.items():
        yield PeerEvent(buyer, when, f"peer_{verdict.kind}", None, verdict.buyer_id)


def _pairs(links: Iterable[Link], of: str | None) -> dict[tuple[str, str, str], int]:
    """Return since when each ordered pair of accounts is known to share a link of each type."""
    since: dict[tuple[str, str, str], int] = {}
    for (link_type, _), accounts in _accounts_by_link(links).items():
        if len(accounts) < 2:
            continue
        for buyer, own in accounts:
            if of is not None and buyer != of:
                continue
            for peer, other in accounts:
                if buyer != peer:
                    key, when = (buyer, peer, link_type), max(own, other)
                    since[key] = min(when, since.get(key, when))
    return since


def _accounts_by_link(links: Iterable[Link]) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """Return each link's first accounts with the time at which each was first seen on it."""
    first: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for link in sorted(links, key=lambda link: (link.recorded_at, link.buyer_id)):
        accounts = first[link.link_type, link.link_value]
        if link.buyer_id not in accounts and len(accounts) < MAX_ACCOUNTS_PER_LINK:
            accounts[link.buyer_id] = link.recorded_at
    return {key: list(accounts.items()) for key, accounts in first.items()}
