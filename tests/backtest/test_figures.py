"""Figures of abusers: what counts from the first abuse until the revocation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backtest.figures import Scene, medians
from backtest.history import read_history
from backtest.instants import micros
from backtest.judged import Buyers, Judged
from backtest.outcomes import losses_of, outcomes_of
from backtest.taken import COLUMNS, taken_of
from backtest.truth import NEVER, Truth
from decisions.policy_file import parse
from features.log import write_log
from tests.backtest.scenes import DAY, END, HOUR, START, case, table

REQUESTS = 4
"""Of one buyer, an hour apart, of 10,000 fen each."""


def scene(folder: Path, *, abuse_from: int, revoked: int) -> Scene:
    """All requests refunded at once; abuse begins with one of them and the revocation comes with another."""
    rows = [row for n in range(REQUESTS) for row in case(n, ("refund_granted", {"actor": "auto"}))]
    write_log(table([row | {"buyer_id": "b"} for row in rows] + END), folder)
    history = read_history(folder)
    ids = pa.array(["b"])
    asked = [START + DAY + n * HOUR for n in range(REQUESTS)]
    starts = np.array([micros(asked[abuse_from])])
    truth = Truth(ids, ["sleeper"], np.array([True]), starts, np.array([NEVER]), ids)
    buyers, outcomes = Buyers.of(history, truth), outcomes_of(history)
    auto = np.ones(REQUESTS, bool)
    move = ("b", 1, micros(asked[revoked]), "eligible", "revoked", "strike")
    moves = pa.table({name: [value] for name, value in zip(COLUMNS, move, strict=True)})
    words = np.full(REQUESTS, "", object)
    judged = Judged(
        policy=parse('version = "p"', source="p"),
        auto=auto,
        score=np.zeros(REQUESTS),
        tier=words,
        standing=words,
        losses=losses_of(outcomes, auto),
        taken=taken_of(moves, buyers.ids, since=buyers.since, until=buyers.until),
    )
    return Scene.of(history, outcomes, buyers, [judged])


@pytest.mark.parametrize(
    ("abuse_from", "revoked", "refunds"), [(0, 3, 4), (0, 1, 2), (2, 3, 2), (1, 2, 2), (3, 3, 1)]
)
def test_yuan_until_revocation_are_those_from_the_first_abuse_to_it(
    tmp_path: Path, abuse_from: int, revoked: int, refunds: int
) -> None:
    found = scene(tmp_path, abuse_from=abuse_from, revoked=revoked)
    assert medians(found, 0)["fen_until_revoked"].value == refunds * 10_000
    assert medians(found, 0)["days_until_revoked"].value == pytest.approx((revoked - abuse_from) / 24)


def test_what_a_policy_does_not_refund_at_once_is_not_among_them(tmp_path: Path) -> None:
    found = scene(tmp_path, abuse_from=0, revoked=3)
    judged = replace(found.judged[0], auto=np.array([True, False, True, False]))
    assert medians(replace(found, judged=[judged]), 0)["fen_until_revoked"].value == 20_000
