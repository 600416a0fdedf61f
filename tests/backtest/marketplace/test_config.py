from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from backtest.marketplace import MarketConfig
from features.errors import BadInput

NONSENSE = [
    ("buyers", 0),
    ("buyers", 10_000_001),
    ("buyers", 1.5),
    ("buyers", True),
    ("days", 0),
    ("days", 3_651),
    ("abuse_rate", -0.001),
    ("abuse_rate", 0.501),
    ("abuse_rate", math.nan),
    ("abuse_rate", "1%"),
    ("seed", -1),
    ("seed", None),
    ("start", datetime(2025, 5, 1)),
    ("start", "2025-05-01"),
    ("start", datetime(1989, 12, 31, tzinfo=UTC)),
]


@pytest.mark.parametrize(("name", "value"), NONSENSE)
def test_nonsense_is_refused_by_name_in_one_line(name: str, value: Any) -> None:
    with pytest.raises(BadInput, match=f"^{name} is .+: give a") as refusal:
        MarketConfig(**{name: value})

    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("buyers", 1),
        ("days", 1),
        ("days", 3_650),
        ("abuse_rate", 0),
        ("abuse_rate", 0.5),
        ("seed", 2**63 - 1),
    ],
)
def test_the_limits_themselves_are_allowed(name: str, value: Any) -> None:
    assert getattr(MarketConfig(**{name: value}), name) == value


def test_the_default_world_is_twenty_thousand_buyers_over_eighteen_months() -> None:
    config = MarketConfig()

    assert (config.buyers, config.days, config.abusers, config.blocks) == (20_000, 540, 200, 2)
    assert config.end == datetime(2026, 10, 23, tzinfo=UTC)
