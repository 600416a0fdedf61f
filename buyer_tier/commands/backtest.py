"""``buyer-tier backtest``: what policies would have done with a history."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .backtest_asked import Goods, Question, Task
from .backtest_history import replayed
from .backtest_world import live, refuse_mixture


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
    seeds: Annotated[
        int | None,
        typer.Option(
            min=2, max=100, help="Of a world: live in so many, of this seed and the next, and tell the range."
        ),
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
    about ten months, all worlds are one history. With --seeds they live in several
    markets, and the page says how far their figures differ. --since, --until, --truth,
    --goods, --task and --loss-budget are for histories.

    The folder holds report.html, report.json, every decision, and an MLflow
    run holds the same report.

    Example: buyer-tier backtest --events market

    Example: buyer-tier backtest --events market --policy notice --policy strict.toml --model champion

    Example: buyer-tier backtest --events market --policy strict.toml --loss-budget 0.02 --out run

    Example: buyer-tier backtest --world --buyers 5000 --days 540 --policy notice --policy strict.toml
    """
    from backtest.run_record import read_policies
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
        of_worlds={"--buyers": buyers, "--days": days, "--abuse-rate": abuse_rate, "--seeds": seeds},
    )
    policies = read_policies(policy or [])
    settings = Settings()
    if events is None:
        given = {"buyers": buyers, "days": days, "abuse_rate": abuse_rate}
        live(
            given,
            policies,
            out_dir,
            model=model,
            seed=seed,
            seeds=seeds or 1,
            settings=settings,
            as_json=as_json,
        )
        return
    asked = Question(
        events=events,
        policies=policies,
        out=out_dir,
        since=since,
        until=until,
        model=model,
        truth=truth,
        loss_budget=loss_budget,
        goods=goods,
        task=task,
        seed=seed,
    )
    replayed(asked, settings=settings, as_json=as_json)
