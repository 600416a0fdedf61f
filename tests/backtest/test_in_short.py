from __future__ import annotations

from typing import Any

import pytest

from backtest.in_short import in_short

COST = "worst_loss_rate"


def gap(low: float, high: float) -> dict[str, float | None]:
    return {"value": (low + high) / 2, "low": low, "high": high}


def report(served: Any, cost: Any, *, auto: int = 3, shipping: bool = True) -> dict[str, Any]:
    first = {"version": "a", "gaps": {}, "figures": {"auto": {"value": 9}}}
    other = {
        "version": "b",
        "gaps": {"good_served": served, COST: cost},
        "figures": {"auto": {"value": auto}},
    }
    history = {"knows_shipping": shipping}
    return {"served_is": "good_served", "cost_is": COST, "history": history, "policies": [first, other]}


@pytest.mark.parametrize(
    ("served", "cost", "verdict"),
    [
        ((0.01, 0.02), (-0.02, -0.01), "better for buyers, and cheaper"),
        ((-0.02, -0.01), (0.01, 0.02), "worse for buyers, and dearer"),
        ((0.01, 0.02), (0.01, 0.02), "a trade: better for buyers, and dearer"),
        ((-0.02, -0.01), (-0.02, -0.01), "a trade: worse for buyers, and cheaper"),
        ((0.01, 0.02), (0.0, 0.02), "better for buyers, at a price that is not surely higher"),
        ((-0.02, -0.01), (-0.02, 0.0), "worse for buyers, at a price that is not surely lower"),
        ((-0.01, 0.02), (-0.02, -0.01), "cheaper, and not surely worse for buyers"),
        ((0.0, 0.0), (0.01, 0.02), "dearer, and not surely better for buyers"),
        ((-0.01, 0.02), (-0.02, 0.01), "no sure difference"),
    ],
)
def test_a_policy_is_called_better_only_where_the_whole_interval_says_so(
    served: tuple[float, float], cost: tuple[float, float], verdict: str
) -> None:
    (one,) = in_short(report(gap(*served), gap(*cost)))
    assert (one["version"], one["before"], one["verdict"]) == ("b", "a", verdict)


def test_where_no_cost_can_be_told_there_is_no_verdict() -> None:
    nothing = {"value": None, "low": None, "high": None}
    for of in (
        report(gap(0.01, 0.02), nothing),
        report(gap(0.01, 0.02), gap(0.0, 0.0), shipping=False),
    ):
        (one,) = in_short(of)
        assert (one["verdict"], one["costs"], one["refunds"]) == (None, None, True)
        assert one["serves"] == "refunds more of the requests of honest buyers at once"


def test_a_policy_that_refunds_nobody_is_said_to() -> None:
    (one,) = in_short(report(gap(-0.9, -0.8), {"value": None, "low": None, "high": None}, auto=0))
    assert one["refunds"] is False
