"""Policies whose true results are known: one that refunds nobody, one everybody, one at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backtest.history import read_history
from backtest.outcomes import Outcomes, losses_of, outcomes_of
from features.log import write_log
from tests.backtest.scenes import DAY, END, HOUR, case

AUTO = {"actor": "auto"}
MERCHANT = {"actor": "merchant"}
FOR_MERCHANT = ("dispute_closed", {"outcome": "merchant"})
CASES = {
    "auto, never left": case(0, ("refund_granted", AUTO)),
    "auto, found shipped": case(1, ("refund_granted", AUTO), ("refund_found_shipped", {})),
    "by hand, never left": case(2, ("refund_granted", MERCHANT)),
    "by hand, found shipped, had left": case(
        3, ("refund_granted", MERCHANT), ("refund_found_shipped", {}), left=-HOUR
    ),
    "by hand, found shipped, left since": case(
        4, ("refund_granted", MERCHANT), ("refund_found_shipped", {}), left=HOUR
    ),
    "refused, had left": case(5, ("refund_rejected", MERCHANT), left=-HOUR),
    "refused, left later": case(6, ("refund_rejected", MERCHANT), left=DAY),
    "refused, nothing came": case(7, ("refund_rejected", MERCHANT)),
    "auto, dispute lost": case(8, ("refund_granted", AUTO), ("dispute_opened", {}), FOR_MERCHANT),
    "by hand, dispute lost": case(9, ("refund_granted", MERCHANT), ("dispute_opened", {}), FOR_MERCHANT),
    "withdrawn": case(10, ("refund_withdrawn", {"actor": "buyer"}), left=DAY),
    "by hand, had left, nobody noted it": case(11, ("refund_granted", MERCHANT), left=-HOUR),
}
FEN = 10_000


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    from tests.backtest.scenes import table

    folder: Path = tmp_path_factory.mktemp("log")
    write_log(table([row for rows in CASES.values() for row in rows] + END), folder)
    return outcomes_of(read_history(folder))


def said(outcomes: Outcomes, auto: np.ndarray) -> dict[str, str]:
    """Name for each case who bears what is known to be lost, `unknown`, or nothing."""
    losses = losses_of(outcomes, auto)
    found = {}
    for n, name in enumerate(CASES):
        bearers = [bearer for bearer, fen in losses.known.items() if fen[n]]
        assert len(bearers) + int(losses.unknown[n]) <= 1, "a loss has one bearer, or is not known"
        assert losses.worst[n] == (FEN if losses.unknown[n] else 0)
        if bearers or losses.unknown[n]:
            found[name] = bearers[0] if bearers else "unknown"
    return found


def test_history_refunds_what_it_refunded(outcomes: Outcomes) -> None:
    assert outcomes.auto.tolist() == [name.startswith("auto") for name in CASES]
    assert (outcomes.answered_us[:3] // 3_600_000_000).tolist() == [1, 1, 1]


def test_decisions_as_in_history_leave_what_history_tells(outcomes: Outcomes) -> None:
    assert said(outcomes, outcomes.auto) == {
        "auto, found shipped": "race",
        "by hand, found shipped, had left": "race",
        "by hand, found shipped, left since": "race",
        "by hand, had left, nobody noted it": "race",
        "refused, nothing came": "buyer",
        "auto, dispute lost": "platform",
        "by hand, dispute lost": "merchant",
    }


def test_whoever_refunds_everybody_loses_all_that_had_left(outcomes: Outcomes) -> None:
    assert said(outcomes, np.ones(len(CASES), bool)) == {
        "auto, found shipped": "race",
        "by hand, found shipped, had left": "race",
        "by hand, found shipped, left since": "unknown",
        "refused, had left": "race",
        "refused, left later": "unknown",
        "refused, nothing came": "unknown",
        "auto, dispute lost": "platform",
        "by hand, dispute lost": "unknown",
        "withdrawn": "unknown",
        "by hand, had left, nobody noted it": "race",
    }


def test_whoever_refunds_nobody_does_not_know_what_a_person_would_have_noticed(outcomes: Outcomes) -> None:
    assert said(outcomes, np.zeros(len(CASES), bool)) == {
        "auto, found shipped": "unknown",
        "by hand, found shipped, had left": "race",
        "by hand, found shipped, left since": "race",
        "by hand, had left, nobody noted it": "race",
        "refused, nothing came": "buyer",
        "auto, dispute lost": "unknown",
        "by hand, dispute lost": "merchant",
    }


def test_a_random_policy_loses_request_by_request_what_the_two_others_do(outcomes: Outcomes) -> None:
    everybody, nobody = (losses_of(outcomes, np.full(len(CASES), auto)) for auto in (True, False))
    drawn = np.random.default_rng(0).random((200, len(CASES))) < 0.5
    for auto in drawn:
        found = losses_of(outcomes, auto)
        assert (found.total == np.where(auto, everybody.total, nobody.total)).all()
        assert (found.unknown == np.where(auto, everybody.unknown, nobody.unknown)).all()


def test_without_shipments_in_the_log_no_refund_that_history_did_not_make_is_known_to_be_harmless(
    tmp_path: Path,
) -> None:
    from tests.backtest.scenes import table

    write_log(table([*CASES["by hand, never left"], *END]), tmp_path)
    found = outcomes_of(read_history(tmp_path))
    assert losses_of(found, np.array([True])).unknown.tolist() == [True]


def test_what_becomes_of_a_refused_request_is_not_known_where_the_log_ends(tmp_path: Path) -> None:
    from tests.backtest.scenes import table

    write_log(table([*CASES["refused, had left"], *CASES["refused, nothing came"]]), tmp_path)
    found = losses_of(outcomes_of(read_history(tmp_path)), np.zeros(2, bool))
    assert found.unknown.tolist() == [False, True]
    assert found.total.tolist() == [0, 0]


def test_what_became_of_a_refused_request_is_not_known_without_shipments_in_the_log(tmp_path: Path) -> None:
    from tests.backtest.scenes import table

    write_log(table([*CASES["refused, nothing came"], *END]), tmp_path)
    found = losses_of(outcomes_of(read_history(tmp_path)), np.zeros(1, bool))
    assert found.unknown.tolist() == [True]
    assert found.total.tolist() == [0]
