"""What is measured of shops: the service's SQL and the replay's arrays against one slow definition."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pytest

from backtest.instants import micros
from backtest.shop_figures import ShopEvents, of_shops
from decisions.request import ShopEvidence
from features.events import SCHEMA
from serving.store import events as event_store
from serving.store import shops
from serving.store.database import Database
from tests.serving.scenes import NOW
from tests.shop_oracle import Row, measured, some_log


def table(rows: list[Row]) -> pa.Table:
    names = [name for name in SCHEMA.names if name in rows[0]]
    plain = pa.Table.from_pylist(rows, schema=pa.schema([SCHEMA.field(name) for name in names]))
    return pa.table(
        {f.name: plain[f.name] if f.name in names else pa.nulls(len(plain), f.type) for f in SCHEMA}
    )


def in_memory(rows: list[Row], now: datetime) -> dict[str, ShopEvidence]:
    return ShopEvents.of(of_shops(table(rows))).measured(micros(now))


@pytest.mark.parametrize("seed", range(40))
def test_a_replay_measures_shops_as_the_slow_definition_does(seed: int) -> None:
    rows = some_log(seed, NOW)
    assert in_memory(rows, NOW) == measured(rows, NOW)


def test_where_no_shop_was_seen_yet_none_is_measured() -> None:
    rows = some_log(1, NOW)
    assert ShopEvents.of(of_shops(table(rows)).slice(0, 0)).measured(micros(NOW)) == {}
    assert in_memory([row | {"shop_id": None} for row in rows], NOW) == {}


def test_the_logs_drawn_meet_every_figure_known_and_not_known() -> None:
    found = [one for seed in range(40) for one in measured(some_log(seed, NOW), NOW).values()]
    for name in ("late_ship_rate", "tracking_lag_p90_hours", "dispute_rate"):
        values = {getattr(one, name) for one in found}
        assert None in values
        assert len(values) > 10, name


@pytest.mark.parametrize("seed", range(6))
async def test_the_service_measures_shops_as_the_slow_definition_does(url: str, seed: int) -> None:
    rows = some_log(seed, NOW)
    database = Database(url, size=1, timeout=20)
    await database.open()
    try:
        async with database.transaction() as connection:
            await event_store.append(connection, table(rows))
            await shops.measure(connection, NOW)
            found = await shops.read(connection, ["s1", "s2"])
    finally:
        await database.close()
    assert found == measured(rows, NOW)
