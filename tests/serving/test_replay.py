"""The service and a replay, given the same history: the same decisions to the byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backtest.book import read_book
from backtest.history import History, read_history
from backtest.marketplace import MarketConfig, simulate
from backtest.parts import DECISIONS, read_decisions, read_moves
from backtest.replay import Fixed, Run, compute_features, replay
from backtest.requests import as_requests
from decisions.policy import NOTICE, Policy
from decisions.policy_file import parse
from decisions.standing_events import as_record
from features.catalog import CATALOG
from features.events import TIMESTAMP
from features.log import write_log
from models.buyer_score import BuyerScore
from models.deciding import record
from models.deciding.row import DecisionRow
from models.registry import LoadedModel
from serving.champion import Champion
from serving.policies import Policies
from serving.service import DecisionService
from serving.store import events as event_store
from serving.store import standings
from serving.store.database import Database
from serving.sweeping import sweep
from tests.serving.scenes import FakeModels

GUARDED = parse(
    """
    version = "guarded"
    quality_score_min = 650
    low_score_max = 600
    caps = {refunds_per_day = 1, fen_per_7_days = 40_000, refunds_per_30_days = 4}
    open_cases.one_at_a_time = true
    exploration.review_share = 0.2
    credit_line.quality = 40_000
    budgets = {shop_loss_fen_per_7_days = 5_000, platform_loss_fen_per_30_days = 90_000}

    [standing]
    watch_points = 2
    restrict_points = 4
    revoke_points = 8
    strike_half_life_days = 60
    watch_below_score = 640
    watch_hysteresis_points = 10
    points = {dispute_lost = 2, found_shipped = 2, cap_hit = 2}
    """,
    source="test",
)
SWEPT = parse(
    """
    version = "swept"
    quality_score_min = 650
    low_score_max = 600
    shop = {max_late_ship_rate = 0.1, max_tracking_lag_p90_hours = 20, unknown = "hold"}

    [standing]
    watch_points = 2
    restrict_points = 4
    restrict_days = 20
    warning_grace_hours = 24
    strike_half_life_days = 60
    watch_days = 5
    watch_below_score = 640
    watch_hysteresis_points = 10
    points = {dispute_lost = 2, found_shipped = 2, linked_abuse = 3}
    """,
    source="test",
)
GENEROUS = parse(
    'version = "generous"\nquality_score_min = 320\nlow_score_max = 305\nmin_completed_orders = 0',
    source="test",
)


class Fitted(FakeModels):
    def __init__(self, score: BuyerScore) -> None:
        super().__init__()
        self.score = score

    def load(self, version: str) -> LoadedModel:
        return LoadedModel(self.score, "buyer-score", version, "run", CATALOG.version)


@pytest.fixture(scope="module")
def score() -> BuyerScore:
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        random.poisson(1.0, (2000, CATALOG.n_features)).astype(float), columns=list(CATALOG.names)
    )
    chance = 1 / (1 + np.exp(7 - 1.2 * rows["cancellations_count_30d"]))
    return BuyerScore(max_trees=30).fit(rows, (random.random(2000) < chance).astype(int))


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small market with many abusers in four shops, and some orders that are asked about again, also by
    another; of whom abuse is confirmed, others know the device.
    """
    market = simulate(MarketConfig(buyers=90, days=300, abuse_rate=0.4, seed=3))
    folder = tmp_path_factory.mktemp("log")
    more = [_asked_again(market.events), _found_shipped(market.events), _linked(market.events)]
    write_log(_in_few_shops(pa.concat_tables([market.events, *more])), folder)
    return folder


def _in_few_shops(events: pa.Table) -> pa.Table:
    shops = pc.utf8_slice_codeunits(events["shop_id"], -1)
    few = pc.if_else(pc.is_in(shops, value_set=pa.array(["1", "4", "7"])), shops, pa.scalar("0"))
    few = pc.if_else(pc.is_valid(shops), few, None)
    place = events.column_names.index("shop_id")
    return events.set_column(
        place, events.schema.field("shop_id"), few.cast(events.schema.field("shop_id").type)
    )


def _linked(events: pa.Table) -> pa.Table:
    """Show, ten days after each verdict of abuse, the device of that account with two others; clear some."""
    rows = events.filter(pc.equal(events["kind"], "abuse_confirmed")).to_pylist()
    found = []
    for n, row in enumerate(rows):
        at = row["recorded_at"] + pd.Timedelta(days=10)
        for buyer in (row["buyer_id"], f"b{n:07}", f"b{n + 40:07}"):
            link = dict.fromkeys(row) | {"event_id": f"link-{n}-{buyer}", "buyer_id": buyer}
            link |= {"kind": "identity_linked", "link_type": "device", "link_value": f"d{n}"}
            found.append(link | {"occurred_at": at, "recorded_at": at})
        if n % 3 == 0:
            later = at + pd.Timedelta(days=30)
            cleared = row | {"event_id": f"clear-{n}", "kind": "abuse_cleared"}
            found.append(cleared | {"occurred_at": later, "recorded_at": later})
    return pa.Table.from_pylist(found, schema=events.schema)


def _asked_again(events: pa.Table) -> pa.Table:
    """Ask again for every fifth order, an hour later, every second time for another buyer."""
    rows = events.filter(pc.equal(events["kind"], "refund_requested")).to_pylist()[::5]
    for n, row in enumerate(rows):
        row["event_id"], row["after_sale_id"] = f"again-{n}", f"again-{n}"
        for name in ("occurred_at", "recorded_at"):
            row[name] += pd.Timedelta(hours=1)
        if n % 2:
            row["buyer_id"] = "b0000001"
    return pa.Table.from_pylist(rows, schema=events.schema)


def _found_shipped(events: pa.Table) -> pa.Table:
    """Let every fourth refund before shipment be found shipped a day later."""
    before = pc.and_(pc.equal(events["kind"], "refund_granted"), pc.equal(events["stage"], "before_shipment"))
    rows = events.filter(before).to_pylist()[::4]
    for n, row in enumerate(rows):
        row |= {"event_id": f"found-{n}", "kind": "refund_found_shipped", "fault": None}
        for name in ("occurred_at", "recorded_at"):
            row[name] += pd.Timedelta(days=1)
    return pa.Table.from_pylist(rows, schema=events.schema)


@pytest.mark.slow
@pytest.mark.parametrize("policy", [NOTICE, GUARDED, SWEPT, GENEROUS], ids=lambda p: p.version)
def test_the_service_and_the_replay_give_the_same_decisions_byte_for_byte(
    url: str, log: Path, tmp_path: Path, score: BuyerScore, policy: Policy
) -> None:
    models = Fitted(score)
    run, log = _possible(log, tmp_path, policy, models)
    history = run.history
    names = [field.name for field in fields(DecisionRow) if field.name in DECISIONS.names]
    months = [month.name for month in run.months]
    replayed = read_decisions(run.folder(policy), months, names).to_pylist()

    rows, transitions, records = asyncio.run(_served(url, log, history, models, policy))
    served = [{name: getattr(row, name) for name in names} for row in rows]
    assert len(served) == len(replayed) > 250
    assert {row["outcome"] for row in served} == {"auto_refund", "manual_review"}
    for one, other in zip(served, replayed, strict=True):
        assert one == other
    moved = read_moves(run.folder(policy), months, ["buyer_id", "version", "event"]).to_pylist()
    assert {(m["buyer_id"], m["version"]): m["event"] for m in moved} == transitions
    book = read_book(run.folder(policy) / "state.msgpack")
    assert {b: msgspec.json.encode(as_record(standing)) for b, standing in book.standings.items()} == records
    failed = {rule.code for row in rows for rule in record.rules_of(row.answer) if not rule.passed}
    if policy is GUARDED:
        assert failed >= {"caps", "credit_line", "budget", "standing", "agrees_with_history"}
    if policy is SWEPT:
        assert failed >= {"shop_quality", "standing"}
        measured = {record.shop_of(row.record) for row in rows}
        assert len(measured) > 20, "shops are measured anew each night"
        signals = [json.loads(event) for event in transitions.values()]
        assert {s["kind"] for s in signals} >= {"linked_abuse", "link_cleared", "scored", "found_shipped"}
        assert {s["rule"] for s in signals} >= {"score_low", "score_recovered", "term_over", "link_cleared"}
        assert any(str(s["signal_id"]).startswith("swept:") for s in signals)


def _possible(log: Path, folder: Path, policy: Policy, models: Fitted) -> tuple[Run, Path]:
    """Replay a log that the policy can have made: without refusals of what it refunds at once.

    A merchant never saw those requests; the service, who is told of a refusal, has to believe it.
    """
    for attempt in range(9):
        out = folder / f"run-{attempt}"
        history = read_history(log)
        out.mkdir()
        compute_features(log, history, out)
        run = Run(out, history, [policy])
        replay(run, Fixed(models.load("7")))
        months = [month.name for month in run.months]
        made = read_decisions(run.folder(policy), months, ["after_sale_id", "outcome"])
        paid = made.filter(pc.equal(made["outcome"], "auto_refund"))["after_sale_id"]
        events = pa.parquet.read_table(log / "events.parquet")
        kinds = pa.array(["refund_rejected", "refund_withdrawn", "dispute_opened", "dispute_closed"])
        refused = events.filter(pc.is_in(events["kind"], value_set=kinds[:2]))["after_sale_id"]
        never = paid.filter(pc.is_in(paid, value_set=refused))
        if not len(never):
            return run, log
        gone = pc.and_(
            pc.is_in(events["kind"], value_set=kinds),
            pc.is_in(events["after_sale_id"], value_set=never),
        )
        log = folder / f"log-{attempt}"
        write_log(events.filter(pc.invert(gone)), log)
    pytest.fail("the policy goes on refunding what the log refuses")


async def _served(
    url: str, log: Path, history: History, models: Fitted, policy: Policy
) -> tuple[Sequence[DecisionRow], dict[tuple[str, int], bytes], dict[str, bytes | None]]:
    """Ask the real service in order; before each request it is told what became known since the last.

    It sweeps every night, from that before the first request on, and once more at the end.
    """
    events = pa.parquet.read_table(log / "events.parquet").sort_by("recorded_at")
    recorded = events["recorded_at"].cast(pa.int64()).to_numpy()
    database = Database(url, size=2, timeout=20)
    champion = Champion(models, poll_seconds=60)
    champion.refresh()
    await database.open()
    rows, told = [], 0
    end = history.last + pd.Timedelta(microseconds=1)

    async def tell(until: datetime) -> None:
        nonlocal told
        known = int(np.searchsorted(recorded, pa.scalar(until, TIMESTAMP).value, side="left"))
        if known > told:
            async with database.transaction() as connection:
                await event_store.append(connection, events.slice(told, known - told))
            told = known

    async def sweep_until(until: datetime) -> None:
        while nights and nights[0] <= until:
            await tell(nights[0])
            score = None if nights[0] == end else lambda: models.score
            now = nights.pop(0)
            await sweep(database, policy=policy, now=now, progress=lambda *_: None, score=score)

    nights = _nights(history.requests["requested_at"][0].as_py(), end)
    try:
        service = DecisionService(database=database, champion=champion, policies=Policies(policy))
        for request in as_requests(history.requests):
            at = request.requested_at
            await sweep_until(at)
            await tell(at)
            digest = record.digest(request, dated=True)
            rows.append((await service.decide(request, digest=digest, decided_at=at)).row)
        await sweep_until(end)
        async with database.transaction() as connection:
            kept = [one async for one in standings.every(connection)]
    finally:
        await database.close()
    transitions = {(b, n): event for b, _, made in kept for n, event in enumerate(made, 1)}
    return rows, transitions, {b: standing for b, standing, _ in kept}


def _nights(first: datetime, end: datetime) -> list[datetime]:
    """Give three o'clock in the morning of Shanghai, from that before the first request on, and the end."""
    night = first.astimezone(UTC).replace(hour=19, minute=0, second=0, microsecond=0)
    night -= timedelta(days=night > first)
    return [*(night + timedelta(days=n) for n in range((end - night).days + 1)), end]
