"""The steps of the demonstration, in the order in which a platform would take them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import httpx
import pyarrow as pa
import pyarrow.compute as pc

from backtest.marketplace import Market, MarketConfig, simulate
from backtest.requests import refund_requests
from features.files import replacing
from features.log import read_log, write_log, write_table
from features.rows import EPOCH
from serving.bulk import load_log
from serving.session import connected, opened, workspace
from serving.settings import Settings
from serving.store import keys
from training.abuse import train_abuse
from training.report import TrainingReport

from .after_sale import AfterSale, Answer
from .month import Step, recorded, steps
from .report import Summary, summarize
from .service import running_service
from .workspace import Corner, count_rows, start_empty

REPLAYED = timedelta(days=30)


class Progress(Protocol):
    """Shows a person what is going on."""

    def step(self, title: str) -> None:
        """Begin a step."""

    def detail(self, text: str) -> None:
        """Say what the step is at."""

    def done(self, found: str) -> None:
        """End the step with what came out."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What the demo came to."""

    summary: Summary
    training: TrainingReport
    incomplete_requests: int
    set_aside: Path | None


def run_demo(config: MarketConfig, *, settings: Settings, progress: Progress) -> Demo:
    """Simulate, train, load, serve, replay; leave a workspace that `serve` can go on with.

    Parameters
    ----------
    config : MarketConfig
    settings : Settings
        The workspace; its embedded database is used, whatever ``database_url`` says.
    """
    corner = Corner(settings.home.absolute())
    corner.folder.mkdir(parents=True, exist_ok=True)
    settings = settings.model_copy(update={"database_url": None, "home": corner.home})
    set_aside = start_empty(settings, corner)
    market = _simulated(config, corner, progress)
    log = read_log(corner.market)
    training = _trained(log, config, settings, progress)
    with workspace(settings) as url:
        since = config.end - REPLAYED
        key = _loaded(recorded(log, EPOCH, since), url, settings, progress)
        corner.keep_key(key)
        asked = refund_requests(log, since=since, until=config.end)
        month = list(steps(log, asked.items, since=since))
        answers, seconds = _replayed(month, key=key, settings=settings, corner=corner, progress=progress)
        corner.note_rows(count_rows(settings))
    abusers = market.truth.filter(pc.field("is_abuser"))["buyer_id"].to_pylist()
    summary = summarize(answers, abusers=set(abusers), seconds=seconds)
    return Demo(summary=summary, training=training, incomplete_requests=asked.incomplete, set_aside=set_aside)


def _simulated(config: MarketConfig, corner: Corner, progress: Progress) -> Market:
    progress.step(f"simulate a marketplace: {config.buyers:,} buyers, {config.days} days")
    market = simulate(config)
    with replacing(corner.market / "truth.parquet") as temporary:
        write_table(market.truth, temporary, kind=".parquet")
    write_log(market.events, corner.market)
    progress.done(f"{len(market.events):,} events, {config.abusers:,} abusers")
    return market


def _trained(log: pa.Table, config: MarketConfig, settings: Settings, progress: Progress) -> TrainingReport:
    until = config.end - REPLAYED
    progress.step(f"train on what was known by {until:%Y-%m-%d}, log and register in MLflow")
    report = train_abuse(log, tracking_uri=settings.tracking_uri, until=until, on_step=progress.detail)
    auc = report.metrics["roc_auc"]
    progress.done(
        f"model version {report.model_version}, ROC-AUC {auc.value:.3f} "
        f"[{auc.low:.3f}, {auc.high:.3f}] out of time"
    )
    return report


def _loaded(log: pa.Table, url: str, settings: Settings, progress: Progress) -> str:
    progress.step("start PostgreSQL and load the history")

    async def load() -> str:
        async with opened(settings, url) as database:
            await load_log(database, log, progress=lambda n: progress.detail(f"{n:,} events"))
        async with connected(settings, url) as connection:
            key, _ = await keys.create(
                connection, name="demo", scopes=keys.SCOPES, now=datetime.now(UTC), expires_at=None
            )
        return key

    key = asyncio.run(load())
    progress.done(f"{len(log):,} events, one API key")
    return key


def _replayed(
    month: list[Step], *, key: str, settings: Settings, corner: Corner, progress: Progress
) -> tuple[list[Answer], float]:
    count = sum(len(step.requests) for step in month)
    progress.step(f"start the service, tell it of the month and ask it for {count:,} decisions over HTTP")
    with running_service(settings, log_file=corner.log_file) as address:
        answers, seconds = asyncio.run(_lived(month, address, key, _counting(progress, count)))
    progress.done(f"{len(answers) / max(seconds, 1e-9):.0f} decisions a second over 4 connections")
    return answers, seconds


async def _lived(
    month: list[Step], address: str, key: str, answered: Callable[[], None]
) -> tuple[list[Answer], float]:
    """Go through the month; give the answers, and the seconds that asking took."""
    answers, seconds = list[Answer](), 0.0
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
        system = AfterSale(client)
        for step in month:
            await system.tell(step.events)
            started = time.perf_counter()
            answers += await system.ask(step.requests, answered=answered)
            seconds += time.perf_counter() - started
    return answers, seconds


def _counting(progress: Progress, total: int) -> Callable[[], None]:
    count = iter(range(1, total + 1))

    def answered() -> None:
        progress.detail(f"{next(count):,} of {total:,}")

    return answered
