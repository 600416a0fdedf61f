from __future__ import annotations

import pytest

from backtest.bootstrap import Figure
from backtest.compare import front

NONE = Figure(None)


@pytest.mark.parametrize(
    ("points", "on_front"),
    [
        ([("a", 0.8, 0.05), ("b", 0.7, 0.04)], ["a", "b"]),
        ([("a", 0.8, 0.05), ("b", 0.7, 0.05)], ["a"]),
        ([("a", 0.8, 0.05), ("b", 0.8, 0.05)], ["a", "b"]),
        ([("a", 0.8, 0.05), ("nobody", 0.0, None)], ["a"]),
        ([("a", 0.0, 0.0), ("nobody", 0.0, None)], ["a"]),
    ],
)
def test_a_policy_is_on_the_front_if_it_refunds_somebody_and_no_other_beats_it(
    points: list[tuple[str, float, float | None]], on_front: list[str]
) -> None:
    found = front([(name, Figure(served), Figure(loss)) for name, served, loss in points], nobody={"nobody"})
    assert [point.version for point in found if point.on_front] == on_front
    assert [point.version for point in found if point.nobody] == [n for n, _, loss in points if loss is None]


def test_a_policy_of_whose_refunds_no_cost_is_told_refunds_somebody_and_is_not_on_the_front() -> None:
    (one, few) = front([("a", Figure(0.8), Figure(0.05)), ("few", Figure(0.0), NONE)], nobody=set())
    assert (one.on_front, few.on_front, few.nobody) == (True, False, False)
