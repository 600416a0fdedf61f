"""When and how long each buyer's eligibility was taken away, and whether the policy's own rules did it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .columns import Ints, micros_of
from .outcomes import HOUR_US

DAY_US: Final = 24 * HOUR_US
AWAY: Final = ("restricted", "revoked")
OF_THE_LOG: Final = "abuse_confirmed"
"""The rule that every policy has: whom the log's investigators confirm is revoked. All others are its own."""
COLUMNS: Final = ("buyer_id", "version", "at", "from_state", "to_state", "rule")
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Taken:
    """By buyer; what was over before the first request is not in it.

    Attributes
    ----------
    at, revoked_at : int64 (n_buyers,)
        When the buyer was first revoked or restricted, and first revoked, in microseconds; `until` if never.
    by_log, revoked_by_log : bool (n_buyers,)
        That followed from a confirmation of abuse that is in the log, not from a rule of the policy.
    days : float64 (n_buyers,)
        For how many days the buyer could not be refunded automatically.
    until : int
    """

    at: Ints
    revoked_at: Ints
    by_log: Bools
    revoked_by_log: Bools
    days: Floats
    until: int

    @property
    def ever(self) -> Bools:
        """Who was restricted or revoked."""
        return self.at < self.until

    @property
    def revoked(self) -> Bools:
        """Who was revoked."""
        return self.revoked_at < self.until


@dataclass(slots=True)
class _Span:
    """A time without eligibility: when and by which rule it began, and the same of its revocation."""

    begin: int
    rule: str
    revoked: tuple[int, str] | None = None


def taken_of(moves: pa.Table, ids: pa.Array, *, since: int, until: int) -> Taken:
    """Read off the moves of standings since when, how long and why eligibility was taken away.

    Parameters
    ----------
    moves : pa.Table
        `COLUMNS`.
    ids : pa.Array
        The buyers to tell of.
    since, until : int
        The time of the replay in microseconds.
    """
    n = len(ids)
    found = Taken(
        np.full(n, until), np.full(n, until), np.zeros(n, bool), np.zeros(n, bool), np.zeros(n), until
    )
    moves = moves.sort_by([("buyer_id", "ascending"), ("version", "ascending")])
    who = pc.index_in(moves["buyer_id"], value_set=ids).to_pylist()
    spans: dict[int, _Span] = {}
    for buyer, at, before, after, rule in zip(
        who,
        micros_of(moves["at"]).tolist(),
        *(moves[name].to_pylist() for name in ("from_state", "to_state", "rule")),
        strict=True,
    ):
        if buyer is None or before == after:
            continue
        if after in AWAY:
            span = spans.setdefault(buyer, _Span(at, rule))
            if after == "revoked" and span.revoked is None:
                span.revoked = at, rule
        elif (ended := spans.pop(buyer, None)) is not None:
            _add(found, buyer, ended, since=since, until=at)
    for buyer, span in spans.items():
        _add(found, buyer, span, since=since, until=until)
    return found


def _add(found: Taken, buyer: int, span: _Span, *, since: int, until: int) -> None:
    if until <= since:
        return
    found.days[buyer] += (until - max(span.begin, since)) / DAY_US
    if span.begin < found.at[buyer]:
        found.at[buyer], found.by_log[buyer] = span.begin, span.rule == OF_THE_LOG
    if span.revoked is not None and span.revoked[0] < found.revoked_at[buyer]:
        at, rule = span.revoked
        found.revoked_at[buyer], found.revoked_by_log[buyer] = at, rule == OF_THE_LOG
