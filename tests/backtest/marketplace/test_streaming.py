from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from backtest.marketplace import MarketConfig, simulate, streaming
from features.events import SCHEMA

TWO_BLOCKS = MarketConfig(buyers=10_200, days=12, abuse_rate=0.02, seed=1)


def written(folder: Path, config: MarketConfig = TWO_BLOCKS) -> tuple[Path, Path, list[float]]:
    scratch, told = folder / "scratch", list[float]()
    scratch.mkdir(parents=True, exist_ok=True)
    events, truth = folder / "events.parquet", folder / "truth.parquet"
    count = streaming.write_market(config, events=events, truth=truth, scratch=scratch, progress=told.append)
    assert count == pq.ParquetFile(events).metadata.num_rows
    return events, truth, told


@pytest.fixture
def short_periods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four periods, of which the first fills several row groups."""
    monkeypatch.setattr(streaming, "BUYER_DAYS", 40_000)
    monkeypatch.setattr(streaming, "ROW_GROUP", 10_000)


def test_a_market_written_period_by_period_is_the_market_in_memory(
    tmp_path: Path, short_periods: None
) -> None:
    events, truth, told = written(tmp_path)
    market = simulate(TWO_BLOCKS)

    assert pq.ParquetFile(events).num_row_groups > 4
    assert pq.read_schema(events) == SCHEMA
    assert pq.read_table(events).equals(market.events)
    assert pq.read_table(truth).equals(market.truth)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_row_groups_say_which_time_they_hold(tmp_path: Path, short_periods: None) -> None:
    metadata = pq.ParquetFile(written(tmp_path)[0]).metadata
    column = SCHEMA.get_field_index("recorded_at")
    groups = [metadata.row_group(i).column(column).statistics for i in range(metadata.num_row_groups)]

    assert all(earlier.max <= later.min for earlier, later in pairwise(groups))


def test_the_same_seed_writes_the_same_bytes_over_what_a_killed_run_left(tmp_path: Path) -> None:
    first = written(tmp_path / "first")
    left = tmp_path / "again" / "scratch"
    left.mkdir(parents=True)
    (left / "0.arrow").write_bytes(b"half a block")
    again = written(tmp_path / "again")

    assert [path.read_bytes() for path in first[:2]] == [path.read_bytes() for path in again[:2]]


def test_a_market_of_a_day_and_a_buyer_is_written(tmp_path: Path) -> None:
    config = MarketConfig(buyers=1, days=1)

    assert pq.read_table(written(tmp_path, config)[0]).equals(simulate(config).events)
