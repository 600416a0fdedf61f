"""Which accounts share a link with one on which there is a verdict: what linked evidence is at night.

The service asks its database (`VERDICTS` of its store of peers); this is the same in memory, told as a log
goes on.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from itertools import takewhile
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from features.links import MAX_ACCOUNTS_PER_LINK
from models.deciding.sweeping import PeerVerdict

from .columns import micros_of
from .instants import instant

LINKED: Final = "identity_linked"
KINDS: Final = (LINKED, "abuse_confirmed", "abuse_cleared")
COLUMNS: Final = ("event_id", "buyer_id", "kind", "occurred_at", "recorded_at", "link_type", "link_value")
Link = tuple[str, str]


def of_links(events: pa.Table) -> pa.Table:
    """Keep the events and columns that links and verdicts are."""
    return events.select(COLUMNS).filter(pc.is_in(events["kind"], value_set=pa.array(KINDS)))


class Links:
    """Accounts by link, in the order in which they were first seen with it, and the verdicts on accounts."""

    def __init__(self) -> None:
        self._seen: dict[Link, list[tuple[int, str]]] = defaultdict(list)
        self._since: dict[Link, dict[str, int]] = defaultdict(dict)
        self._links_of: dict[str, set[Link]] = defaultdict(set)
        self._verdicts: dict[str, list[tuple[int, int, str, str]]] = defaultdict(list)

    def add(self, events: pa.Table) -> None:
        """Hear what `of_links` kept."""
        times = (micros_of(events[name]).tolist() for name in ("recorded_at", "occurred_at"))
        names = ("event_id", "buyer_id", "kind", "link_type", "link_value")
        words = (events[name].to_pylist() for name in names)
        for recorded, occurred, event_id, buyer, kind, link_type, value in zip(*times, *words, strict=True):
            if kind != LINKED:
                insort(self._verdicts[buyer], (recorded, occurred, event_id, kind))
            elif link_type is not None and value is not None:
                self._see((link_type, value), buyer, recorded)

    def _see(self, link: Link, buyer: str, recorded: int) -> None:
        since, accounts = self._since[link], self._seen[link]
        if (known := since.get(buyer)) is not None:
            if known <= recorded:
                return
            accounts.remove((known, buyer))
        since[buyer] = recorded
        insort(accounts, (recorded, buyer))
        self._links_of[buyer].add(link)

    def verdicts(self, until: int) -> dict[str, list[PeerVerdict]]:
        """Tell, by buyer, what was found by then of the accounts that share a link.

        Parameters
        ----------
        until : int
            Microseconds; only what was recorded before counts.
        """
        found: dict[str, list[PeerVerdict]] = defaultdict(list)
        for peer, told in self._verdicts.items():
            if (n := bisect_left(told, (until,))) == 0:
                continue
            recorded, occurred, event_id, kind = told[n - 1]
            for buyer, since in self._near(peer, until).items():
                known = instant(max(recorded, since))
                found[buyer].append(PeerVerdict(peer, event_id, kind, instant(occurred), known))
        return found

    def _near(self, peer: str, until: int) -> dict[str, int]:
        """Give the first accounts of each of an account's links, and since when the first such link holds."""
        near: dict[str, int] = {}
        for link in self._links_of.get(peer, ()):
            if self._since[link][peer] < until:
                first = takewhile(
                    lambda account: account[0] < until, self._seen[link][:MAX_ACCOUNTS_PER_LINK]
                )
                for since, buyer in first:
                    if buyer != peer:
                        near[buyer] = min(since, near.get(buyer, since))
        return near
