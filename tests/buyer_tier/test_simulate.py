from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backtest.marketplace import MarketConfig, simulate
from buyer_tier.commands.simulate import simulate as command
from features.errors import BadInput

SMALL = {"buyers": 200, "days": 60, "abuse_rate": 0.05, "seed": 3}


def test_the_files_hold_the_market_and_nothing_else_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command(tmp_path / "out", **SMALL, as_json=True)  # type: ignore[arg-type]
    market = simulate(MarketConfig(**SMALL))  # type: ignore[arg-type]

    told = json.loads(capsys.readouterr().out)
    assert told == {
        "events": len(market.events),
        "buyers": 200,
        "abusers": 10,
        "file": str(tmp_path / "out" / "events.parquet"),
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["events.parquet", "truth.parquet"]
    assert pq.read_table(told["file"]).equals(market.events)


def test_a_share_that_cannot_be_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="abuse_rate"):
        command(tmp_path / "out", **{**SMALL, "abuse_rate": 0.9}, as_json=True)  # type: ignore[arg-type]

    assert not (tmp_path / "out").exists()
