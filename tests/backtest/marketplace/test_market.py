from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from backtest.marketplace import MIXTURE, Market, MarketConfig, blocks, simulate
from backtest.marketplace.archetypes import ABUSERS, HONEST
from features.events import SCHEMA

from .conftest import Seen

SMALL = MarketConfig(buyers=300, days=120, abuse_rate=0.05, seed=11)


def written(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


def both(market: Market) -> tuple[bytes, bytes]:
    return written(market.events), written(market.truth)


def test_the_same_config_gives_the_same_bytes() -> None:
    assert both(simulate(SMALL)) == both(simulate(SMALL))


@pytest.mark.parametrize("change", [{"seed": 12}, {"buyers": 301}, {"days": 121}, {"abuse_rate": 0.06}])
def test_any_other_config_gives_another_market(change: dict[str, float]) -> None:
    other = MarketConfig(**{"buyers": 300, "days": 120, "abuse_rate": 0.05, "seed": 11, **change})  # type: ignore[arg-type]

    assert not simulate(other).events.equals(simulate(SMALL).events)


def test_one_instant_written_in_two_time_zones_gives_one_market() -> None:
    here = datetime(2025, 5, 1, 8, tzinfo=ZoneInfo("Asia/Shanghai"))
    there = datetime(2025, 5, 1, 2, tzinfo=ZoneInfo("Europe/Berlin"))

    first, second = (simulate(MarketConfig(buyers=50, days=300, start=at)) for at in (here, there))
    assert first.events.equals(second.events)


@pytest.mark.parametrize(
    "config",
    [
        MarketConfig(buyers=1, days=1),
        MarketConfig(buyers=1, days=30, abuse_rate=0.5),
        MarketConfig(buyers=40, days=2, abuse_rate=0.5, seed=2**63 - 1),
        MarketConfig(buyers=40, days=700, abuse_rate=0.0, start=datetime(1999, 3, 1, tzinfo=UTC)),
    ],
)
def test_the_smallest_markets_hold_the_contract_too(config: MarketConfig) -> None:
    market = simulate(config)

    assert market.events.schema == SCHEMA
    assert market.truth.num_rows == config.buyers
    assert pc.sum(market.truth["is_abuser"]).as_py() == config.abusers


def test_blocks_of_buyers_add_up_to_the_whole_market() -> None:
    config = MarketConfig(buyers=10_200, days=12, abuse_rate=0.02, seed=1)
    whole, parts = simulate(config), list(blocks(config))

    events = pa.concat_tables([part.events for part in parts])
    order = [("recorded_at", "ascending"), ("event_id", "ascending")]
    assert [part.truth.num_rows for part in parts] == [10_000, 200]
    assert events.take(pc.sort_indices(events, order)).combine_chunks().equals(whole.events)
    assert pa.concat_tables([part.truth for part in parts]).combine_chunks().equals(whole.truth)
    assert sum(pc.sum(part.truth["is_abuser"]).as_py() for part in parts) == 204


def test_nothing_of_one_block_refers_to_another() -> None:
    first, second = (part.events for part in blocks(MarketConfig(buyers=10_200, days=12, seed=1)))

    for name in ("event_id", "buyer_id", "order_id", "after_sale_id", "link_value"):
        assert not set(first[name].drop_null().to_pylist()) & set(second[name].drop_null().to_pylist())


def test_the_default_market_has_about_a_million_events() -> None:
    part = next(blocks(MarketConfig()))

    assert 400_000 < part.events.num_rows < 650_000


@pytest.mark.parametrize("abuse_rate", [0.003, 0.01, 0.03, 0.4])
def test_the_share_of_abusers_is_exactly_the_one_asked_for(abuse_rate: float) -> None:
    truth = simulate(MarketConfig(buyers=2_000, days=3, abuse_rate=abuse_rate)).truth

    assert pc.sum(truth["is_abuser"]).as_py() == round(2_000 * abuse_rate)


def test_the_truth_has_one_row_per_buyer_and_agrees_with_the_log(villains: Seen) -> None:
    truth = villains.truth

    assert truth["buyer_id"].is_unique
    assert set(villains.events["buyer_id"]) <= set(truth["buyer_id"])
    assert set(truth["archetype"]) == set(MIXTURE)
    assert truth.loc[~truth["is_abuser"], "abuse_starts_at"].isna().all()
    assert (truth["abuse_starts_at"].dropna() < datetime(2026, 10, 23, tzinfo=UTC)).all()
    assert (truth["abuse_ends_at"] - truth["abuse_starts_at"]).dropna().min() > timedelta(days=7)


def test_controls_are_not_abusers(villains: Seen) -> None:
    flags = villains.truth.groupby("archetype")["is_abuser"].agg(["min", "max"])

    for archetype in HONEST:
        assert not flags.loc[archetype.name, "max"]
    for archetype in ABUSERS:
        assert flags.loc[archetype.name, "min"]


def test_the_mixture_table_is_the_mixture(villains: Seen) -> None:
    for group in (ABUSERS, HONEST):
        assert sum(a.share for a in group) == pytest.approx(1.0)
        among = villains.truth[villains.truth["archetype"].isin([a.name for a in group])]
        share = among["archetype"].value_counts(normalize=True)
        for archetype in group:
            assert share[archetype.name] == pytest.approx(archetype.share, abs=0.03)
