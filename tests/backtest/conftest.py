from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from backtest.marketplace import Market, MarketConfig, simulate
from features.files import replacing
from features.log import write_log, write_table
from models.registry import LoadedModel
from tests.backtest.scenes import small_model


@pytest.fixture(scope="session")
def market() -> Market:
    return simulate(MarketConfig(buyers=250, days=300, abuse_rate=0.2, seed=3))


@pytest.fixture(scope="session")
def log(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    write_log(market.events, folder)
    with replacing(folder / "truth.parquet") as temporary:
        write_table(market.truth, temporary, kind=".parquet")
    return folder


@pytest.fixture(scope="session")
def model() -> LoadedModel:
    return small_model()


@pytest.fixture
def shuffled(market: Market, tmp_path: Path) -> Path:
    """The same log, its rows the other way round."""
    back = pa.array(range(len(market.events) - 1, -1, -1))
    write_log(market.events.take(back), tmp_path / "shuffled")
    return tmp_path / "shuffled"
