"""``buyer-tier retrain``: train the newest complete window, promote it only if every gate agrees."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from training.gates import Gate
    from training.retrain import Order, RetrainReport

PROJECT_STORE: Final = ("sqlite:///mlflow.db", "./mlruns", "mlruns")
LIMITS: Final = "BUYER_TIER_RETRAIN_LIMITS"
STYLES: Final = {"pass": "green", "fail": "red", "ask": "yellow", "none": "dim"}


def retrain(
    events: Annotated[str, typer.Option(help="Folder, file or URL of the event log.")],
    until: Annotated[
        str, typer.Option(help="Know only what was recorded before this date (UTC); else everything.")
    ] = "",
    window: Annotated[
        str, typer.Option(help="First of the month to judge on, instead of the newest that is complete.")
    ] = "",
    limits: Annotated[
        str,
        typer.Option(
            help="Limits of the gates that differ from the defaults: NAME=NUMBER,… (docs/retraining.md). "
            "Default: BUYER_TIER_RETRAIN_LIMITS."
        ),
    ] = "",
    abuser_budget: Annotated[
        float, typer.Option(help="Abusers among the approved that the guaranteed cut-off allows.")
    ] = 0.01,
    loss_budget: Annotated[
        float, typer.Option(help="Lost per refunded yuan that the guaranteed cut-off allows.")
    ] = 0.05,
    seed: Annotated[int, typer.Option(help="The same data, seed and code train the same model.")] = 0,
    wait: Annotated[
        float, typer.Option(help="Seconds to wait for another retraining of this store.")
    ] = 3600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Train the newest complete label window once, judge it beside the champion, promote it or hold it.

    A window that was trained before, from the same data and code, is not trained again. A model that is held
    is scored in the shadow of the champion; a person may take it: buyer-tier models promote VERSION --reason.

    Example: buyer-tier retrain --events market

    Example: buyer-tier retrain --events market --limits swap_share=0.3,psi=0.5

    Example: mlflow run . -e retrain --env-manager local -P events=market
    """
    from buyer_tier.commands.train import date_of, steps
    from buyer_tier.console import emit, out
    from buyer_tier.log_source import local_log
    from features.log import read_log
    from training.guarantee import Budget
    from training.limits import limits_of
    from training.retrain import retrain as run

    order = replace(
        _order(),
        seed=seed,
        wait_seconds=wait,
        limits=limits_of(limits or os.environ.get(LIMITS, "")),
        budget=Budget(abuser_rate=abuser_budget, loss_per_yuan=loss_budget),
    )
    if until:
        order = replace(order, until=date_of(until, option="--until"))
    if window:
        order = replace(order, judged_at=_month(window))
    with steps() as on_step, local_log(events) as path:
        on_step("checking the event log")
        report = run(read_log(path), order, on_step=on_step)
    if as_json:
        emit(report.as_dict())
        return
    if report.gates:
        out.print(_table(report.gates))
    out.print(_said(report), highlight=False, soft_wrap=True)


def _order() -> Order:
    """Use the workspace's store, or the one and the run that `mlflow run` was told to use."""
    from serving.settings import Settings
    from training.retrain import Order

    opened = os.environ.pop("MLFLOW_RUN_ID", None)
    settings = Settings()
    if opened and _is_default(settings.mlflow_tracking_uri):
        os.environ.pop("MLFLOW_TRACKING_URI")  # `mlflow run` names its own default where nobody named one
        settings, opened = Settings(), None
    return Order(
        tracking_uri=settings.tracking_uri,
        kept_in=settings.home / "retraining",
        run_id=opened,
        policy=settings.policy,
    )


def _is_default(tracking_uri: str) -> bool:
    here = Path.cwd()
    return tracking_uri in {*PROJECT_STORE, f"sqlite:///{here / 'mlflow.db'}", (here / "mlruns").as_uri()}


def _month(text: str) -> datetime:
    from buyer_tier.commands.train import date_of

    return date_of(f"{text}-01" if len(text) == 7 else text, option="--window")


def _table(gates: tuple[Gate, ...]) -> Table:
    from rich.table import Table

    table = Table("", "a new model takes over only if …", "found", "allowed")
    for gate in gates:
        word = gate.verdict.value
        table.add_row(f"[{STYLES[word]}]{word}[/]", gate.title, gate.figure, gate.limit)
    return table


def _said(report: RetrainReport) -> str:
    charge = f"version {report.champion_now} is in charge" if report.champion_now else "nobody is in charge"
    lines = [
        f"window of {' and '.join(report.window)}, complete since {report.complete_at:%Y-%m-%d}: "
        f"version {report.model_version} [bold]{report.outcome}[/], {charge}",
        report.said,
    ]
    if report.findings:
        lines.append(f"cut-off with a guarantee: {report.findings.guarantee.words}")
    if report.page:
        lines.append(f"page to read or forward: {report.page}")
    if report.outcome == "held":
        lines.append(
            f'to take it all the same: buyer-tier models promote {report.model_version} --reason "…"'
        )
    return "\n".join(lines)
