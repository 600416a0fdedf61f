"""``buyer-tier backtest``: what policies would have done with a history."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .train import date_of

if TYPE_CHECKING:
    from backtest.fitting import LogFacts
    from backtest.replay import Models
    from backtest.run_record import Inputs
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
    events: Annotated[str, typer.Option(help="Folder, file or URL of the event log.")],
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
    seed: Annotated[int, typer.Option(help="Of training and of the intervals.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Replay a history under policies and report what they would have done.

    Every request is decided by the code that the service runs, at the time at
    which it came, with the standing, caps and tiers that the policy's own
    decisions led to. By default a model is trained for each month on what was
    known by then; months before the first are not decided.

    A log that knows of no abuse, as the real retailer's, is asked who cancels:
    the policies are fitted to its orders, and the report says how.

    The folder holds report.html, report.json, every decision, and an MLflow
    run holds the same report.

    Example: buyer-tier backtest --events market

    Example: buyer-tier backtest --events market --policy notice --policy strict.toml --model champion

    Example: buyer-tier backtest --events market --policy strict.toml --loss-budget 0.02 --out run
    """
    from backtest.backtest import JSON, PAGE, Order
    from backtest.backtest import backtest as run
    from backtest.fitting import Fit, facts_of
    from backtest.run_record import begin, inputs_of, read_policies
    from backtest.truth import read_truth
    from backtest.walk_forward import months_between
    from buyer_tier.backtest_shown import lines_of, table_of
    from buyer_tier.console import emit, err, out
    from buyer_tier.log_source import local_log, refuse_inside
    from features.errors import BadInput
    from features.files import claimed
    from serving.settings import Settings

    policies = read_policies(policy or [])
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
    settings = Settings()
    refuse_inside(events, out_dir)
    with local_log(events) as path, err.status("reading the history") as status:
        from backtest.whole_log import as_parquet

        with as_parquet(path) as log:
            if begins is not None:
                months_between(log, begins, ends)  # refuses a late history before anything is written
            models, name, caveats = _models(log, policies, model, settings.tracking_uri)
            facts = facts_of(log)
            learns = _learns(task, model, facts)
            if learns == Task.cancellation:
                name = f"{name} on cancellation"
                goods = goods or (None if facts.states_goods else Goods.physical)
            inputs = inputs_of(
                log, policies, models=f"{name}, seed {seed}", since=begins, until=ends, goods=goods
            )
            folder = out_dir or settings.home / "backtests" / _name(inputs)
            with claimed(folder, result=folder):
                begin(folder, inputs)
            fit = None
            if models is None:
                walking, begins = _walk_forward(
                    log, folder, policies, begins, ends, task=learns, seed=seed, status=status
                )
                models = walking
                if learns == Task.cancellation:
                    rate = walking.of(f"{begins:%Y-%m}").base_rate
                    fit = Fit(policies, facts_of(log, known_by=begins), rate)
                    policies = fit.policies
            found = read_truth(truth) if truth is not None else _beside(events)
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
    report["run_id"] = _logged(report, folder, settings.tracking_uri)
    if as_json:
        emit(report | {"page": str(folder / PAGE), "json": str(folder / JSON)})
        return
    out.print(table_of(report))
    for line in lines_of(report):
        out.print(line, soft_wrap=True)
    out.print(f"{folder / PAGE}", soft_wrap=True)


def _name(inputs: Inputs) -> str:
    return hashlib.sha256(json.dumps(asdict(inputs), sort_keys=True).encode()).hexdigest()[:12]


def _beside(events: str) -> Any:
    from backtest.truth import read_truth
    from features.parts import TRUTH_FILE

    path = Path(events) / TRUTH_FILE
    return read_truth(path) if "://" not in events and path.is_file() else None


def _learns(task: Task | None, model: str | None, facts: LogFacts) -> Task:
    """Tell what is learned: what was asked for, else what the log can tell; a named model learned abuse."""
    return task or (Task.abuse if model is not None else Task(facts.task))


def _models(
    log: Log, policies: Sequence[Policy], model: str | None, tracking_uri: str
) -> tuple[Models | None, str, list[str]]:
    """Load the model that was asked for; None if models are to be trained."""
    from backtest.replay import Fixed
    from features.errors import BadInput
    from models.registry import CHAMPION, Registry
    from training.publish import learned_until

    if model is None:
        return None, "trained monthly", []
    registry = Registry(tracking_uri)
    try:
        loaded = registry.champion() if model == CHAMPION else registry.load(model)
    except LookupError as error:
        raise BadInput(str(error)) from error
    if loaded is None:
        raise BadInput(f"--model champion: {tracking_uri} has no champion; run `buyer-tier train` first")
    known = (learned_until(registry, loaded) or "an unknown day")[:10]
    said = (
        f"Model version {loaded.version} had learned from outcomes known by {known}: on earlier months it is "
        "better than it could have been then. Monthly training avoids this."
    )
    return Fixed(loaded), f"version {loaded.version}", [said]


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
    from backtest.walk_forward import WalkForward, months_between

    models = WalkForward(
        log,
        folder,
        seed=seed,
        proves=any(p.quality_score_min is None for p in policies),
        task=task.value,
        on_model=lambda month: status.update(f"training on what was known by {month}"),
    )
    months = months_between(log, since, until)
    first = models.first(months if since is None else months[:1])
    begins = datetime.fromisoformat(f"{first}-01").replace(tzinfo=UTC)
    return models, begins if since is None else max(since, begins)


def _logged(report: dict[str, Any], folder: Path, tracking_uri: str) -> str:
    from backtest.backtest import JSON, PAGE
    from training.logged import log_report

    metrics = {
        f"{policy['version']}/{name}".replace("~", "_").replace("+", "_"): figure["value"]
        for policy in report["policies"]
        for name, figure in policy["figures"].items()
        if figure["value"] is not None
    }
    inputs = report["inputs"]
    params = {
        "log": inputs["log"],
        "models": inputs["models"],
        "since": inputs["since"],
        "until": inputs["until"],
        "policies": " ".join(inputs["policies"]),
    }
    return log_report(
        tracking_uri,
        experiment="buyer-tier/backtest",
        name=f"backtest of {', '.join(inputs['policies'])}",
        params=params,
        metrics=metrics,
        files=[folder / PAGE, folder / JSON],
    )
