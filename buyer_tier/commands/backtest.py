"""``buyer-tier backtest``: what policies would have done with a history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .backtest_world import live, refuse_mixture
from .train import date_of

if TYPE_CHECKING:
    from backtest.fitting import LogFacts
    from backtest.walk_forward import WalkForward
    from decisions.policy import Policy
    from features.scan import Log


class Task(StrEnum):
    """What the months' models learn."""

    abuse = "abuse"
    cancellation = "cancellation"


class Goods(StrEnum):
    """What orders hold of which the log does not say it."""

    physical = "physical"
    virtual = "virtual"
    customized = "customized"


def backtest(
    events: Annotated[
        str | None, typer.Option(help="Folder, file or URL of the event log of a history.")
    ] = None,
    world: Annotated[
        bool,
        typer.Option(
            "--world", help="In place of a history: a simulated market that lives with the answers."
        ),
    ] = False,
    policy: Annotated[
        list[Path] | None,
        typer.Option(help="Policy file, or `notice`, the shipped one and the default; several are compared."),
    ] = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="Folder of the run; the same again goes on where it stopped.")
    ] = None,
    since: Annotated[str | None, typer.Option(help="Decide requests from this date on (UTC).")] = None,
    until: Annotated[str | None, typer.Option(help="Decide requests before this date (UTC).")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Score with `champion` or this version; else a model a month, trained as of then."),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="Truth file of a simulated market; else the one beside the events.")
    ] = None,
    loss_budget: Annotated[
        float | None,
        typer.Option(help="Find the cheapest change that loses at most so much of a refunded yuan, as 0.02."),
    ] = None,
    goods: Annotated[
        Goods | None, typer.Option(help="What orders hold of which the log does not say it.")
    ] = None,
    task: Annotated[
        Task | None,
        typer.Option(
            help="What the monthly models learn; without it `cancellation` for a log that knows of no abuse."
        ),
    ] = None,
    buyers: Annotated[int | None, typer.Option(help="Of a world: accounts; else 5,000.")] = None,
    days: Annotated[int | None, typer.Option(help="Of a world: its length; else 540.")] = None,
    abuse_rate: Annotated[
        float | None, typer.Option(help="Of a world: share of the accounts that abuse; else 0.01.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Of a world, of training and of the intervals.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say what policies would have done with a history, or do in a market that lives with their answers.

    Every request is decided by the code that the service runs, at the time at
    which it came, with the standing, caps and tiers that the policy's own
    decisions led to. By default a model is trained for each month on what was
    known by then; months before the first are not decided.

    A log that knows of no abuse, as the real retailer's, is asked who cancels:
    the policies are fitted to its orders, and the report says how.

    A history cannot say what would have come of another answer, nor how people
    react. With --world each policy gets a simulated market of its own with the
    same people: it asks, the policy answers, and abusers go on, stop, ask for
    less or come back with linked accounts. Until the first model can be trained,
    about ten months, all worlds are one history. --since, --until, --truth,
    --goods, --task and --loss-budget are for histories.

    The folder holds report.html, report.json, every decision, and an MLflow
    run holds the same report.

    Example: buyer-tier backtest --events market

    Example: buyer-tier backtest --events market --policy notice --policy strict.toml --model champion

    Example: buyer-tier backtest --events market --policy strict.toml --loss-budget 0.02 --out run

    Example: buyer-tier backtest --world --buyers 5000 --days 540 --policy notice --policy strict.toml
    """
    from backtest.backtest import Order
    from backtest.backtest import backtest as run
    from backtest.fitting import Fit, facts_of
    from backtest.page import rows_of
    from backtest.run_record import begin, inputs_of, read_policies, undo
    from backtest.truth import read_truth
    from backtest.walk_forward import months_between
    from buyer_tier.backtest_run import model_named, name_of, shown
    from buyer_tier.backtest_shown import SHOWN
    from buyer_tier.console import err
    from buyer_tier.log_source import local_log, refuse_inside
    from features.errors import BadInput
    from features.files import claimed
    from serving.settings import Settings

    refuse_mixture(
        world=world,
        of_histories={
            "--events": events,
            "--since": since,
            "--until": until,
            "--truth": truth,
            "--goods": goods,
            "--task": task,
            "--loss-budget": loss_budget,
        },
        of_worlds={"--buyers": buyers, "--days": days, "--abuse-rate": abuse_rate},
    )
    policies = read_policies(policy or [])
    settings = Settings()
    if events is None:
        given = {"buyers": buyers, "days": days, "abuse_rate": abuse_rate}
        live(given, policies, out_dir, model=model, seed=seed, settings=settings, as_json=as_json)
        return
    begins, ends = (
        None if text is None else date_of(text, option=option)
        for text, option in ((since, "--since"), (until, "--until"))
    )
    if begins is not None and ends is not None and begins >= ends:
        raise BadInput(f"--since {since} is not before --until {until}")
    if loss_budget is not None and not 0 <= loss_budget <= 1:
        raise BadInput(f"--loss-budget is {loss_budget}, must be 0 to 1: a share of what is refunded")
    if task is not None and model is not None:
        raise BadInput("--task says what monthly models learn, --model names one that has learned; give one")
    refuse_inside(events, out_dir)
    found = read_truth(truth) if truth is not None else _beside(events)
    with local_log(events) as path, err.status("reading the history") as status:
        from backtest.whole_log import as_parquet

        with as_parquet(path) as log:
            if begins is not None:
                months_between(log, begins, ends)  # refuses another time's history before anything is written
            models, name, caveats = model_named(model, settings.tracking_uri)
            facts = facts_of(log)
            learns = _learns(task, model, facts)
            if learns == Task.cancellation:
                name = f"{name} on cancellation"
                goods = goods or (None if facts.states_goods else Goods.physical)
            inputs = inputs_of(
                log, policies, models=f"{name}, seed {seed}", since=begins, until=ends, goods=goods
            )
            folder = out_dir or settings.home / "backtests" / name_of(inputs)
            with claimed(folder, result=folder):
                begun = begin(folder, inputs)
            fit = None
            if models is None:
                try:
                    walking, begins = _walk_forward(
                        log, folder, policies, begins, ends, task=learns, seed=seed, status=status
                    )
                except BadInput:
                    if not begun:
                        undo(folder)
                    raise
                models = walking
                if learns == Task.cancellation:
                    rate = walking.of(f"{begins:%Y-%m}").base_rate
                    fit = Fit(policies, facts_of(log, known_by=begins), rate)
                    policies = fit.policies
            order = Order(
                log=log,
                out=folder,
                policies=policies,
                truth=found,
                since=begins,
                until=ends,
                budget=loss_budget,
                goods=None if goods is None else goods.value,
                seed=seed,
                task=learns.value,
                fit=fit,
            )
            report = run(
                order,
                models,
                inputs,
                caveats=caveats,
                on_step=status.update,
                on_month=lambda version, month, n: status.update(f"{version}: {n:,} decisions of {month}"),
            )
    shown(
        report,
        folder,
        rows=rows_of(report),
        names=SHOWN,
        tracking_uri=settings.tracking_uri,
        as_json=as_json,
    )


def _beside(events: str) -> Any:
    from backtest.truth import read_truth
    from features.parts import TRUTH_FILE

    path = Path(events) / TRUTH_FILE
    return read_truth(path) if "://" not in events and path.is_file() else None


def _learns(task: Task | None, model: str | None, facts: LogFacts) -> Task:
    """Tell what is learned: what was asked for, else what the log can tell; a named model learned abuse."""
    return task or (Task.abuse if model is not None else Task(facts.task))


def _walk_forward(
    log: Log,
    folder: Path,
    policies: Sequence[Policy],
    since: datetime | None,
    until: datetime | None,
    *,
    task: Task,
    seed: int,
    status: Any,
) -> tuple[WalkForward, datetime]:
    """Train for the first month that can be decided, which is where the replay begins."""
    from backtest.run_record import leaves_cut_off
    from backtest.walk_forward import WalkForward, months_between

    models = WalkForward(
        log,
        folder,
        seed=seed,
        proves=leaves_cut_off(policies),
        task=task.value,
        on_model=lambda month: status.update(f"training on what was known by {month}"),
    )
    months = months_between(log, since, until)
    first = models.first(months if since is None else months[:1])
    begins = datetime.fromisoformat(f"{first}-01").replace(tzinfo=UTC)
    return models, begins if since is None else max(since, begins)
