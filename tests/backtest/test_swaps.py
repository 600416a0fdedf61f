"""What a change of policy does to what is known to be lost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.compare import swapped
from backtest.figures import Scene
from backtest.history import read_history
from backtest.judged import Buyers, Judged
from backtest.outcomes import losses_of, outcomes_of
from backtest.parts import MOVES
from backtest.taken import taken_of
from decisions.policy_file import parse
from features.log import write_log
from tests.backtest.scenes import END, HOUR, case, table


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A parcel that had left and one of which a dispute was lost, both refunded by hand in history."""
    by_hand = ("refund_granted", {"actor": "merchant"})
    lost = ("dispute_closed", {"outcome": "merchant"})
    rows = [*case(0, by_hand, left=-HOUR), *case(1, by_hand, lost), *case(2, by_hand, left=40 * HOUR)]
    write_log(table(rows + END), tmp_path)
    history = read_history(tmp_path)
    outcomes, buyers = outcomes_of(history), Buyers.of(history, None)
    nobody = np.zeros(len(history.requests), bool)
    first = Judged(
        policy=parse('version = "wide"', source="wide"),
        auto=~nobody,
        score=np.zeros(len(nobody)),
        tier=np.full(len(nobody), "", object),
        standing=np.full(len(nobody), "", object),
        losses=losses_of(outcomes, ~nobody),
        taken=taken_of(MOVES.empty_table(), buyers.ids, since=buyers.since, until=buyers.until),
    )
    strict = replace(
        first,
        policy=parse('version = "strict"', source="strict"),
        auto=nobody,
        losses=losses_of(outcomes, nobody),
    )
    return Scene.of(history, outcomes, buyers, [first, strict])


def test_a_stricter_policy_can_know_of_more_loss_and_the_swap_says_where_from(scene: Scene) -> None:
    swap = swapped(scene, 1)
    assert (swap["gained"]["requests"], swap["lost"]["requests"]) == (0, 3)
    assert swap["lost"]["loss_fen"] == {"before": 10_000, "after": 20_000}, (
        "the dispute is known only by hand"
    )
    assert swap["lost"]["worst_fen"] == {"before": 20_000, "after": 20_000}
    assert swap["known_rises"] is True


def test_nothing_rises_where_a_laxer_policy_knows_of_more_loss(scene: Scene) -> None:
    back = replace(scene, judged=[scene.judged[1], scene.judged[0]])
    assert swapped(back, 1)["known_rises"] is False
