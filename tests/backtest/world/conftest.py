from __future__ import annotations

from pathlib import Path

import pytest

from backtest.marketplace import MarketConfig
from backtest.replay import Fixed
from backtest.world.living import Lived, World, lived
from decisions.policy import NOTICE
from decisions.policy_file import parse
from tests.backtest.scenes import small_model
from tests.backtest.test_replay import EVERYBODY, NOBODY

MARKET = MarketConfig(buyers=250, days=150, abuse_rate=0.4, seed=4)
GUARDED = parse(
    """
    version = "guarded"
    quality_score_min = 700
    min_completed_orders = 1
    caps.refunds_per_30_days = 1
    budgets.platform_loss_fen_per_7_days = 5000
    budgets.shop_loss_fen_per_7_days = 1000
    """,
    source="test",
)
SWEPT = parse(
    """
    version = "swept"
    quality_score_min = 700
    min_completed_orders = 1
    shop = {max_late_ship_rate = 0.1, max_tracking_lag_p90_hours = 20}

    [standing]
    watch_points = 1
    restrict_points = 2
    warning_grace_hours = 24
    strike_expires_days = 60
    watch_days = 5
    watch_below_score = 700
    points = {found_shipped = 1, linked_abuse = 1}
    """,
    source="test",
)
POLICIES = {policy.version: policy for policy in (NOTICE, NOBODY, EVERYBODY, GUARDED, SWEPT)}


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(market=MARKET, out=tmp_path_factory.mktemp("world"), models=Fixed(small_model()))


@pytest.fixture(scope="package")
def lives(world: World) -> dict[str, Lived]:
    """Live under each policy, which is dear: only `test_living` asks for it, so one process does it once."""
    return {version: lived(world, policy) for version, policy in POLICIES.items()}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name[0] != "."
    }
