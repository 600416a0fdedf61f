from __future__ import annotations

import pytest

from backtest.wording import Told, ends, more, said, sure

RATE: Told = {"value": 0.125, "low": 0.1, "high": 0.15}
FALL: Told = {"value": -0.02, "low": -0.04, "high": 0.0}
FEN: Told = {"value": 123_456, "low": 0, "high": 200_000}
ALONE: Told = {"value": 3, "low": 3, "high": 3}
NONE: Told = {"value": None, "low": None, "high": None}


@pytest.mark.parametrize(
    ("figure", "unit", "whole", "interval", "difference"),
    [
        (RATE, "share", "12.5% (10.0% to 15.0%)", "10.0% to 15.0%", "+12.5 points"),
        (FALL, "points", "−2.0 (−4.0 to +0.0)", "−4.0 to +0.0", None),
        (FEN, "yuan", "1,235 (0 to 2,000)", "0 to 2,000", "+1,235"),
        (ALONE, "count", "3", "", "+3"),
        (NONE, "share", "–", "", ""),
        (None, "share", "–", "", ""),
    ],
)
def test_a_figure_is_written_with_its_unit_and_interval(
    figure: Told | None, unit: str, whole: str, interval: str, difference: str | None
) -> None:
    assert said(figure, unit) == whole
    assert ends(figure, unit) == interval
    if difference is not None:
        assert more(figure, unit) == difference


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(0.1, 0.2, 1), (-0.2, -0.1, -1), (0.0, 0.1, 0), (-0.1, 0.0, 0), (-0.1, 0.1, 0), (None, None, 0)],
)
def test_a_difference_is_sure_if_its_interval_lies_on_one_side(
    low: float | None, high: float | None, sign: int
) -> None:
    assert sure({"value": 0.1, "low": low, "high": high}) == sign
