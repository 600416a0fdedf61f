"""What a decision could see: events of two logs side by side, and when the service's own came in."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from features.events import TIMESTAMP

from .store.readback import ARRIVED_SCHEMA, SNAPSHOT

NEVER: Final = np.iinfo(np.int64).max
"""Arrival of an event that the service does not have; `BEFORE` of one stored before arrivals were kept."""
BEFORE: Final = -1
MEANWHILE: Final = timedelta(minutes=1)
"""An event that came in this shortly before a decision may have been committed between the decision's
reading and its storing, where its snapshot was taken."""

Rows = npt.NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Arrivals:
    """Events of the contract with ``arrival`` and ``ingested_at``, found by buyer and by link."""

    events: pa.Table

    @cached_property
    def arrival(self) -> Rows:
        """The transaction that brought each row."""
        return np.asarray(pc.fill_null(self.events["arrival"], BEFORE).to_numpy())

    def about(self, buyer_id: str, as_of: datetime) -> Rows:
        """Find the rows that the features of a buyer at an instant can rest on."""
        own = self._of_buyer.get(buyer_id, [])
        links = {link for row in own if (link := self._link_of.get(row)) is not None}
        sights = {row for link in links for row in self._of_link[link]}
        peers = {self._buyers[row] for row in sights}
        verdicts = {row for peer in peers for row in self._verdicts.get(peer, ())}
        rows = np.array(sorted({*own} | sights | verdicts), dtype=np.int64)
        return np.asarray(rows[self._recorded[rows] < pa.scalar(as_of, TIMESTAMP).value])

    def late(self, rows: Rows, *, seen: str | None, decided_at: datetime) -> Iterator[Rows]:
        """Guess which of the rows a decision did not see: first what is certain, then ever more.

        What its snapshot does not hold came later. What came in shortly before may still have been
        missed: the latest transactions first.
        """
        arrival = self.arrival[rows]
        hidden = arrival == NEVER if seen is None else ~visible(arrival, seen)
        yield rows[hidden]
        since = pa.scalar(decided_at - MEANWHILE, TIMESTAMP).value
        doubtful = ~hidden & (self._ingested[rows] >= since)
        for first in sorted(set(arrival[doubtful].tolist()), reverse=True):
            yield rows[hidden | (doubtful & (arrival >= first))]

    @cached_property
    def _buyers(self) -> list[str]:
        return list(self.events["buyer_id"].to_pylist())

    @cached_property
    def _recorded(self) -> Rows:
        return np.asarray(self.events["recorded_at"].cast(pa.int64()).to_numpy())

    @cached_property
    def _ingested(self) -> Rows:
        return np.asarray(pc.fill_null(self.events["ingested_at"].cast(pa.int64()), NEVER).to_numpy())

    @cached_property
    def _of_buyer(self) -> dict[str, list[int]]:
        return _grouped(enumerate(self._buyers))

    @cached_property
    def _link_of(self) -> dict[int, tuple[str, str]]:
        rows = np.flatnonzero(pc.equal(self.events["kind"], "identity_linked").to_numpy()).tolist()
        linked = self.events.select(["link_type", "link_value"]).take(pa.array(rows, pa.int64()))
        words = zip(linked["link_type"].to_pylist(), linked["link_value"].to_pylist(), strict=True)
        return {row: link for row, link in zip(rows, words, strict=True) if None not in link}

    @cached_property
    def _of_link(self) -> dict[tuple[str, str], list[int]]:
        return _grouped(self._link_of.items())

    @cached_property
    def _verdicts(self) -> dict[str, list[int]]:
        judged = pc.is_in(self.events["kind"], pa.array(["abuse_confirmed", "abuse_cleared"])).to_numpy()
        return _grouped((row, self._buyers[row]) for row in np.flatnonzero(judged).tolist())


def visible(arrival: Rows, seen: str) -> npt.NDArray[np.bool_]:
    """Tell which transactions were done in a snapshot, as PostgreSQL does."""
    found = SNAPSHOT.fullmatch(seen)
    if found is None:
        raise ValueError(f"{seen!r} is not a snapshot")
    running = np.array(found[3].split(",") if found[3] else [], dtype=np.int64)
    return np.asarray((arrival < int(found[2])) & ~np.isin(arrival, running))


def side_by_side(offline: pa.Table, stored: pa.Table) -> tuple[Arrivals, npt.NDArray[np.bool_]]:
    """Put what the service has, and what only an offline log has, into one table.

    Parameters
    ----------
    offline : pa.Table
        Events of the contract.
    stored : pa.Table
        The service's, `ARRIVED_SCHEMA`; where both have an event, its content counts.

    Returns
    -------
    arrivals : Arrivals
    in_offline : (n_events,)
        Whether the offline log has the event, with whatever content.
    """
    extra = offline.filter(pc.invert(pc.is_in(offline["event_id"], stored["event_id"].combine_chunks())))
    never = pa.array(np.full(len(extra), NEVER))
    extra = extra.append_column("arrival", never)
    extra = extra.append_column("ingested_at", pa.nulls(len(extra), TIMESTAMP))
    both = pa.concat_tables([stored, extra.cast(ARRIVED_SCHEMA)]).combine_chunks()
    in_offline = pc.is_in(both["event_id"], offline["event_id"].combine_chunks())
    return Arrivals(both), np.asarray(in_offline.to_numpy())


def _grouped(pairs: Iterable[tuple[int, Key]]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = {}
    for row, key in pairs:
        found.setdefault(key, []).append(row)
    return found
