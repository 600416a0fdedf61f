"""One policy's decisions beside history and truth, request by request and buyer by buyer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from decisions.policy import Policy

from .columns import Ints, micros_of, places_of
from .history import History
from .instants import micros
from .outcomes import HOUR_US, Losses, Outcomes, losses_of
from .parts import read_decisions, read_moves
from .replay import Run
from .truth import Truth

DAY_US: Final = 24 * HOUR_US
TAKEN: Final = ("restricted", "revoked")
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
    revoked_at, taken_at : int64 (n_buyers,)
        When the buyer was first revoked, and first revoked or restricted, in microseconds; `until` if never.
    taken_days : float64 (n_buyers,)
        For how many days the buyer could not be refunded automatically.
    """

    policy: Policy
    auto: Bools
    score: Floats
    tier: npt.NDArray[np.object_]
    standing: npt.NDArray[np.object_]
    losses: Losses
    revoked_at: Ints
    taken_at: Ints
    taken_days: Floats


def judge(run: Run, policy: Policy, outcomes: Outcomes, buyers: Buyers) -> Judged:
    """Read what a replay wrote of one policy and hold it against history."""
    months = [month.name for month in run.months]
    table = read_decisions(run.folder(policy), months, ["outcome", "score", "tier", "standing"])
    auto = pc.equal(table["outcome"], "auto_refund").to_numpy()
    moves = read_moves(run.folder(policy), months, ["buyer_id", "version", "at", "from_state", "to_state"])
    revoked_at, taken_at, days = _taken(moves, buyers)
    return Judged(
        policy=policy,
        auto=auto,
        score=table["score"].to_numpy(),
        tier=table["tier"].to_numpy(),
        standing=table["standing"].to_numpy(),
        losses=losses_of(outcomes, auto),
        revoked_at=revoked_at,
        taken_at=taken_at,
        taken_days=days,
    )


def _taken(moves: pa.Table, buyers: Buyers) -> tuple[Ints, Ints, Floats]:
    """Read off the moves since when and for how long eligibility was taken away."""
    n = len(buyers.ids)
    revoked, taken = np.full(n, buyers.until), np.full(n, buyers.until)
    days = np.zeros(n)
    begun: dict[int, int] = {}
    moves = moves.sort_by([("buyer_id", "ascending"), ("version", "ascending")])
    who = pc.index_in(moves["buyer_id"], value_set=buyers.ids).to_pylist()
    at = moves["at"].cast(pa.int64()).to_pylist()
    for buyer, when, before, after in zip(
        who, at, moves["from_state"].to_pylist(), moves["to_state"].to_pylist(), strict=True
    ):
        if buyer is None or before == after:
            continue
        if after in TAKEN:
            taken[buyer] = min(taken[buyer], when)
            begun.setdefault(buyer, when)
            if after == "revoked":
                revoked[buyer] = min(revoked[buyer], when)
        elif (since := begun.pop(buyer, None)) is not None:
            days[buyer] += (when - max(since, buyers.since)) / DAY_US
    for buyer, since in begun.items():
        days[buyer] += (buyers.until - max(since, buyers.since)) / DAY_US
    return revoked, taken, np.maximum(days, 0.0)
