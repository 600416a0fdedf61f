"""Everybody's score on every night, for policies that watch scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from decisions.request import BuyerEvidence
from decisions.shanghai import DAY_US
from features.batch import evaluate_spine
from features.catalog import CATALOG
from features.history import pack
from features.needs import needs_of
from features.scan import Log, batches
from features.stream import compute_group, least_memory, plan_job, rows_in_group
from models.buyer_score import BuyerScore
from models.deciding.many import buyer_evidences
from models.deciding.sweeping import Night

from .columns import Ints, micros_of
from .instants import instant

Floats = npt.NDArray[np.float64]
POINTS, P_ABUSE, COMPLETED, TENURE, ABUSE = range(5)
MORE_MEMORY: Final = 1 << 30
"""Beyond the least: fewer groups of buyers, each of which reads the log."""


@dataclass(frozen=True)
class Reads:
    """What is read of everybody at one instant.

    Attributes
    ----------
    names : sequence of str
    place : mapping
        The place of each among them.
    figures : float64 (n, 5)
        Points, probability, completed orders, tenure (not a number without one), whether abuse is confirmed;
        points are not a number of whom nothing is known yet.
    """

    names: Sequence[str]
    place: Mapping[str, int]
    figures: Floats

    def low(self, night: Night) -> list[str]:
        """Name those whose score is below that from which the policy watches."""
        below = night.policy.standing.watch_below_score
        found = [] if below is None else np.flatnonzero(self.figures[:, POINTS] < below).tolist()
        return [self.names[n] for n in found]

    def of(self, buyer_id: str) -> BuyerEvidence | None:
        """Give what is read of a buyer; None of whom nothing is known yet."""
        place = self.place.get(buyer_id)
        if place is None or np.isnan(self.figures[place, POINTS]):
            return None
        points, p_abuse, completed, tenure, abuse = self.figures[place].tolist()
        return BuyerEvidence(
            points, p_abuse, int(completed), None if tenure != tenure else tenure, bool(abuse)
        )


def figures_of(vectors: Floats, score: BuyerScore) -> Floats:
    """Score vectors: rows of `Reads.figures`."""
    rows = [
        (e.score, e.p_abuse, e.completed_orders, e.tenure_days, e.abuse_confirmed)
        for e in buyer_evidences(vectors, score=score)
    ]
    return np.array(rows, np.float64).reshape(-1, 5)


class NightScores:
    """Scores of all buyers of a log, a month of nights at a time."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._score: BuyerScore | None = None
        self._reads: dict[int, Reads] = {}

    def at(self, night: int, score: BuyerScore) -> Reads:
        """Give what is read on a night; the rest of its month is computed with it."""
        if score is not self._score or night not in self._reads:
            self._score, self._reads = score, self._month(night, score)
        return self._reads[night]

    def _month(self, night: int, score: BuyerScore) -> dict[int, Reads]:
        nights = _rest_of_month(night)
        names, since = self._first_seen
        n, buyer = np.nonzero(since[None, :] < nights[:, None])
        figures = np.full((len(nights), len(names), 5), np.nan)
        spine = pa.table(
            {
                "buyer_id": pa.DictionaryArray.from_arrays(pa.array(buyer, pa.int32()), names),
                "as_of": pa.array(nights[n], pa.timestamp("us", "UTC")),
            }
        )
        memory = least_memory(self._log.rows)
        job = plan_job(self._log, spine, catalog=CATALOG, memory=memory + MORE_MEMORY)
        for group in range(len(job.groups)):
            rows = rows_in_group(job, group)
            figures[n[rows], buyer[rows]] = figures_of(compute_group(job, group), score)
        known = names.to_pylist()
        place = {name: at for at, name in enumerate(known)}
        return {int(at): Reads(known, place, figures[i]) for i, at in enumerate(nights)}

    @cached_property
    def _first_seen(self) -> tuple[pa.Array, Ints]:
        """Give all buyers and when the first event of each became known."""
        some = [
            first_seen(pa.Table.from_batches([b])) for b in batches(self._log, ["buyer_id", "recorded_at"])
        ]
        return _earliest(pa.concat_tables(some))


def reads_at(events: pa.Table, at: int, score: BuyerScore) -> Reads:
    """Read everybody's score from a log in memory."""
    names, since = _earliest(first_seen(events))
    names = names.filter(pa.array(since < at))
    vectors = evaluate_spine(
        pack(events, needs=needs_of(CATALOG.plan)), pa.chunked_array([names]), np.full(len(names), at)
    )
    known = names.to_pylist()
    return Reads(known, {name: n for n, name in enumerate(known)}, figures_of(vectors, score))


def first_seen(events: pa.Table) -> pa.Table:
    """Give the buyers of some events and when the first event of each became known."""
    plain = pa.table(
        {"buyer_id": events["buyer_id"].cast(pa.string()), "first": events["recorded_at"].cast(pa.int64())}
    )
    found = plain.group_by("buyer_id").aggregate([("first", "min")])
    return found.select(["buyer_id", "first_min"]).rename_columns(["buyer_id", "first"])


def _earliest(some: pa.Table) -> tuple[pa.Array, Ints]:
    found = some.group_by("buyer_id").aggregate([("first", "min")]).sort_by("buyer_id")
    return found["buyer_id"].combine_chunks(), micros_of(found["first_min"])


def _rest_of_month(night: int) -> Ints:
    begin = instant(night)
    after = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1, day=1)
    days = (after.date() - begin.date()).days
    return night + np.arange(days) * DAY_US
