"""The replay of ``buyer-tier backtest``: a history decided by policies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .backtest_asked import Goods, Question, Task

if TYPE_CHECKING:
    from backtest.backtest import Order
    from backtest.replay import Models
    from backtest.truth import Truth
    from features.scan import Log
    from serving.settings import Settings


def replayed(asked: Question, *, settings: Settings, as_json: bool) -> None:
    """Decide a history's requests and show what came of it."""
    from backtest.rows import rows_of
    from backtest.whole_log import as_parquet
    from buyer_tier.backtest_run import shown
    from buyer_tier.backtest_shown import SHOWN
    from buyer_tier.console import err
    from buyer_tier.log_source import local_log, refuse_inside

    asked.refuse()
    refuse_inside(asked.events, asked.out)
    truth = _truth(asked)
    with (
        local_log(asked.events) as path,
        err.status("reading the history") as status,
        as_parquet(path) as log,
    ):
        report, folder = _run(asked, log, truth, settings=settings, status=status)
    shown(
        report,
        folder,
        rows=rows_of(report),
        names=SHOWN,
        tracking_uri=settings.tracking_uri,
        as_json=as_json,
    )


def _truth(asked: Question) -> Truth | None:
    from backtest.truth import read_truth
    from features.parts import TRUTH_FILE

    if asked.truth is not None:
        return read_truth(asked.truth)
    beside = Path(asked.events) / TRUTH_FILE
    return read_truth(beside) if "://" not in asked.events and beside.is_file() else None


def _run(
    asked: Question, log: Log, truth: Truth | None, *, settings: Settings, status: Any
) -> tuple[dict[str, Any], Path]:
    from backtest.backtest import Order, backtest
    from backtest.fitting import facts_of
    from backtest.run_record import inputs_of, recorded
    from backtest.walk_forward import months_between
    from buyer_tier.backtest_run import model_named, name_of

    begins, ends = asked.span()
    if begins is not None:
        months_between(log, begins, ends)  # refuses another time's history before anything is written
    models, name, caveats = model_named(asked.model, settings.tracking_uri)
    facts = facts_of(log)
    learns, goods = asked.learns(facts), asked.goods
    if learns == Task.cancellation:
        name = f"{name} on cancellation"
        goods = goods or (None if facts.states_goods else Goods.physical)
    inputs = inputs_of(
        log, asked.policies, models=f"{name}, seed {asked.seed}", since=begins, until=ends, goods=goods
    )
    order = Order(
        log=log,
        out=asked.out or settings.home / "backtests" / name_of(inputs),
        policies=asked.policies,
        truth=truth,
        since=begins,
        until=ends,
        budget=asked.loss_budget,
        goods=None if goods is None else goods.value,
        seed=asked.seed,
        task=learns.value,
    )
    with recorded(order.out, inputs):
        if models is None:
            models, order = _walking(order, status)
        report = backtest(
            order,
            models,
            inputs,
            caveats=caveats,
            on_step=status.update,
            on_month=lambda version, month, n: status.update(f"{version}: {n:,} decisions of {month}"),
        )
    return report, order.out


def _walking(order: Order, status: Any) -> tuple[Models, Order]:
    """Train for the first month that can be decided, where the replay begins, and fit policies to the log."""
    from backtest.fitting import Fit, facts_of
    from backtest.run_record import leaves_cut_off
    from backtest.walk_forward import WalkForward, months_between

    walking = WalkForward(
        order.log,
        order.out,
        seed=order.seed,
        proves=leaves_cut_off(order.policies),
        task=order.task,
        on_model=lambda month: status.update(f"training on what was known by {month}"),
    )
    months = months_between(order.log, order.since, order.until)
    first = walking.first(months if order.since is None else months[:1])
    begins = datetime.fromisoformat(f"{first}-01").replace(tzinfo=UTC)
    since = begins if order.since is None else max(order.since, begins)
    order = replace(order, since=since)
    if order.task == "cancellation":
        fit = Fit(order.policies, facts_of(order.log, known_by=since), walking.of(first).base_rate)
        order = replace(order, policies=fit.policies, fit=fit)
    return walking, order
