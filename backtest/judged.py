"""One policy's decisions beside history and truth, request by request and buyer by buyer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from decisions.policy import Policy

from .columns import Ints, micros_of, places_of
from .history import History
from .instants import micros
from .outcomes import Losses, Outcomes, losses_of
from .parts import read_decisions, read_moves
from .replay import Run
from .taken import COLUMNS, Taken, taken_of
from .truth import Truth

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Buyers:
    """Everybody who asked, with what the truth says of them; `truth` is None where there is none."""

    ids: pa.Array
    of_request: Ints
    truth: Truth | None
    since: int
    until: int

    @classmethod
    def of(cls, history: History, truth: Truth | None) -> Buyers:
        """Number the buyers of a history; those of the truth too, who may never have asked."""
        asking = history.requests["buyer_id"].combine_chunks()
        ids = asking.unique() if truth is None else pa.concat_arrays([truth.buyer_ids, asking]).unique()
        times = micros_of(history.requests["requested_at"])
        since = int(times[0]) if len(times) else micros(history.first)
        return cls(ids, places_of(asking, ids), truth, since, micros(history.last) + 1)

    def summed(self, values: npt.NDArray[np.generic]) -> Floats:
        """Add a value of requests up by buyer."""
        weights = values.astype(np.float64)
        found = np.bincount(self.of_request, weights=weights, minlength=len(self.ids))
        return found.astype(np.float64)

    @cached_property
    def abuser(self) -> Bools:
        """Who abuses while requests are replayed."""
        found = np.zeros(len(self.ids), bool)
        if self.truth is not None:
            found[: len(self.truth.starts)] = self.truth.active(self.since, self.until)
        return found

    @cached_property
    def honest(self) -> Bools:
        """Who never abuses, as the truth says."""
        found = np.zeros(len(self.ids), bool)
        if self.truth is not None:
            found[: len(self.truth.starts)] = ~self.truth.is_abuser
        return found

    @cached_property
    def ever_abuser(self) -> Bools:
        """Who abuses at any time, as the truth says."""
        found = np.zeros(len(self.ids), bool)
        if self.truth is not None:
            found[: len(self.truth.starts)] = self.truth.is_abuser
        return found

    @cached_property
    def starts(self) -> Ints:
        """When each abuser's abuse began, at the earliest with the first request replayed."""
        found = np.full(len(self.ids), self.until, np.int64)
        if self.truth is not None:
            found[: len(self.truth.starts)] = np.clip(self.truth.starts, self.since, self.until)
        return found


@dataclass(frozen=True)
class Judged:
    """The decisions of one policy.

    Attributes
    ----------
    auto : bool (n_requests,)
    score : float64 (n_requests,)
    tier, standing : object (n_requests,)
    losses : Losses
    taken : Taken
        Whose eligibility was taken away, when, how long and why.
    """

    policy: Policy
    auto: Bools
    score: Floats
    tier: npt.NDArray[np.object_]
    standing: npt.NDArray[np.object_]
    losses: Losses
    taken: Taken


def judge(run: Run, policy: Policy, outcomes: Outcomes, buyers: Buyers) -> Judged:
    """Read what a replay wrote of one policy and hold it against history."""
    months = [month.name for month in run.months]
    table = read_decisions(run.folder(policy), months, ["outcome", "score", "tier", "standing"])
    auto = pc.equal(table["outcome"], "auto_refund").to_numpy()
    moves = read_moves(run.folder(policy), months, COLUMNS)
    return Judged(
        policy=policy,
        auto=auto,
        score=table["score"].to_numpy(),
        tier=table["tier"].to_numpy(),
        standing=table["standing"].to_numpy(),
        losses=losses_of(outcomes, auto),
        taken=taken_of(moves, buyers.ids, since=buyers.since, until=buyers.until),
    )
