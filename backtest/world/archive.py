"""The events of a market that goes on, kept so that a few buyers' are found quickly."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.events import SCHEMA

from ..columns import micros_of

LEAST_FRESH: Final = 20_000
"""So many new events, or a third of the old ones, are searched before they are sorted in."""
MARKS: Final = pa.array(["identity_linked", "abuse_confirmed", "abuse_cleared"])
"""What is known of one account and may count for another."""


class Archive:
    """All events so far."""

    def __init__(self) -> None:
        self._all, self._marks = _Shelf("buyer_id"), _Shelf("link_value")
        self._verdicts = _Shelf("buyer_id")
        self.last = 0
        """When the newest event became known, in microseconds."""

    def add(self, events: pa.Table) -> None:
        """Take in what became known."""
        self._all.add(events)
        self.last = max(self.last, int(micros_of(events["recorded_at"]).max(initial=0)))
        marks = events.filter(pc.is_in(events["kind"], value_set=MARKS))
        is_link = pc.equal(marks["kind"], "identity_linked")
        self._marks.add(marks.filter(is_link))
        self._verdicts.add(marks.filter(pc.invert(is_link)))

    @property
    def events(self) -> pa.Table:
        """All of them, in no order."""
        return self._all.table

    def of(self, buyers: pa.Array) -> pa.Table:
        """Give the events of some buyers."""
        return self._all.of(buyers)

    def beside(self, own: pa.Table, buyers: pa.Array) -> pa.Table:
        """Give the links and verdicts of the accounts that share a link with some buyers.

        Parameters
        ----------
        own : pa.Table
            The buyers' own events.
        """
        linked = own.filter(pc.equal(own["kind"], "identity_linked"))
        shared = self._marks.of(linked["link_value"].combine_chunks().unique())
        shared = shared.filter(pc.invert(pc.is_in(shared["buyer_id"], value_set=buyers)))
        return pa.concat_tables([shared, self._verdicts.of(shared["buyer_id"].combine_chunks().unique())])


class _Shelf:
    """Events in the order of one column, with the newest unsorted beside them."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._sorted, self._fresh, self._waiting = SCHEMA.empty_table(), list[pa.Table](), 0
        self._words, self._start = pa.array([], pa.string()), np.zeros(1, np.int64)

    @property
    def table(self) -> pa.Table:
        return pa.concat_tables([self._sorted, *self._fresh])

    def add(self, events: pa.Table) -> None:
        if not len(events):
            return
        self._fresh.append(events)
        self._waiting += len(events)
        if self._waiting > max(LEAST_FRESH, len(self._sorted) // 3):
            self._sort()

    def of(self, words: pa.Array) -> pa.Table:
        place = pc.drop_null(pc.index_in(words, value_set=self._words)).to_numpy()
        rows = [np.arange(self._start[p], self._start[p + 1]) for p in place]
        old = self._sorted.take(pa.array(np.concatenate([np.zeros(0, np.int64), *rows])))
        if not self._fresh:
            return old
        fresh = pa.concat_tables(self._fresh)
        return pa.concat_tables([old, fresh.filter(pc.is_in(fresh[self._column], value_set=words))])

    def _sort(self) -> None:
        table = self.table.combine_chunks()
        encoded = table[self._column].combine_chunks().dictionary_encode()
        codes = encoded.indices.to_numpy()
        self._sorted = table.take(pa.array(np.argsort(codes, kind="stable")))
        self._words = encoded.dictionary
        self._start = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=len(self._words)))])
        self._fresh, self._waiting = [], 0
