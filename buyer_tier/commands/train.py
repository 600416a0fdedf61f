"""``buyer-tier train``: learn from a history, judge out of time, register the model in MLflow."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from training.evaluate import Interval
    from training.report import TrainingReport


FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199
"""Far enough from the ends of what a time can hold for windows to be added."""


class Task(StrEnum):
    """What to learn."""

    abuse = "abuse"
    cancellation = "cancellation"


def train(
    events: Annotated[str, typer.Option(help="Folder, file or URL of the event log.")],
    task: Annotated[
        Task, typer.Option(help="`abuse` makes the champion; `cancellation` is the real retailer's task.")
    ] = Task.abuse,
    until: Annotated[
        str | None, typer.Option(help="Know only what was recorded before this date (UTC); else everything.")
    ] = None,
    snapshots: Annotated[
        str | None,
        typer.Option(help="Dates separated by commas: rows to take (abuse) or to judge on (cancellation)."),
    ] = None,
    abuser_budget: Annotated[
        float, typer.Option(help="Abusers among the approved that the guaranteed cut-off allows (abuse).")
    ] = 0.01,
    loss_budget: Annotated[
        float, typer.Option(help="Lost per refunded yuan that the guaranteed cut-off allows (abuse).")
    ] = 0.05,
    seed: Annotated[int, typer.Option(help="The same data and seed train the same model.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Train the score on mature labels, judge it on later months and log it all as one MLflow run.

    Example: buyer-tier train --events market

    Example: buyer-tier train --events market --abuser-budget 0.005

    Example: buyer-tier train --events retail --task cancellation --snapshots 2010-12-01,2011-01-01
    """
    from buyer_tier.console import emit, out
    from buyer_tier.log_source import local_log
    from features.log import read_log
    from serving.settings import Settings

    end = None if until is None else date_of(until, option="--until")
    words = [] if snapshots is None else snapshots.split(",")
    asked = [date_of(word.strip(), option="--snapshots") for word in words]
    run = _trainer(task, abuser_budget=abuser_budget, loss_budget=loss_budget)
    with steps() as on_step, local_log(events) as path:
        on_step("checking the event log")
        log = read_log(path)
        report = run(
            log, tracking_uri=Settings().tracking_uri, until=end, snapshots=asked, seed=seed, on_step=on_step
        )
    if as_json:
        emit(report.as_dict())
        return
    out.print(_comparisons(report) if report.comparisons else _metrics(report))
    if report.findings:
        from buyer_tier.findings_tables import findings_tables

        for part in findings_tables(report.findings):
            out.print(part, highlight=False, soft_wrap=isinstance(part, str))
    out.print(_summary(report), highlight=False, soft_wrap=True)


def _trainer(task: Task, *, abuser_budget: float, loss_budget: float) -> Callable[..., TrainingReport]:
    if task is Task.abuse:
        from serving.settings import Settings
        from training.abuse import train_abuse
        from training.guarantee import Budget

        budget = Budget(abuser_rate=abuser_budget, loss_per_yuan=loss_budget)
        return partial(train_abuse, budget=budget, policy=Settings().policy)
    from training.cancellation import train_cancellation

    return train_cancellation


class steps:  # noqa: N801 - reads as a clause: with steps() as on_step
    """Show the steps of a training as they pass, with the time each took."""

    def __init__(self) -> None:
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        from buyer_tier.console import err

        columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), TimeElapsedColumn())
        self.progress = Progress(*columns, console=err)

    def __enter__(self) -> Callable[[str], None]:
        self.progress.start()
        return self._begin

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is None:
            self._finish()
        self.progress.live.transient = failed is not None  # what went wrong is said in one line
        self.progress.stop()

    def _begin(self, step: str) -> None:
        self._finish()
        self.progress.add_task(step, total=1)

    def _finish(self) -> None:
        for task_id in self.progress.task_ids[-1:]:
            self.progress.update(task_id, completed=1)


def date_of(text: str, *, option: str) -> datetime:
    """Read a date given on the command line; midnight UTC unless it says otherwise."""
    from features.errors import BadInput

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option} is {text!r}: give a date such as 2026-05-01") from None
    if not FIRST_YEAR <= when.year <= LAST_YEAR:
        raise BadInput(f"{option} is {text!r}: give a year from {FIRST_YEAR} to {LAST_YEAR}")
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)


SHOWN = {
    "roc_auc": "ROC-AUC",
    "average_precision": "average precision",
    "recall_at_fpr_0.001": "positives found at 0.1% false positives",
    "recall_at_fpr_0.005": "positives found at 0.5% false positives",
    "recall_at_fpr_0.01": "positives found at 1% false positives",
    "gain_at_0.01": "positives among the riskiest 1%",
    "gain_at_0.05": "positives among the riskiest 5%",
    "brier": "Brier score",
    "calibration_error": "calibration error",
}


def _metrics(report: TrainingReport) -> Table:
    from rich.table import Table

    rows = report.rows
    title = (
        f"Judged on {rows.test:,} buyers at {', '.join(rows.test_snapshots)}, {rows.test_positive} positive"
    )
    table = Table("measure", title=title, title_justify="left")
    table.add_column("value", justify="right")
    table.add_column("95% interval", justify="right")
    for name, words in SHOWN.items():
        found = report.metrics[name]
        table.add_row(words, _number(found.value), f"{_number(found.low)} to {_number(found.high)}")
    return table


def _number(value: float) -> str:
    return f"{value:.4f}" if abs(value) < 0.1 else f"{value:.3f}"


def _comparisons(report: TrainingReport) -> Table:
    from rich.table import Table

    title = "Will one of the next 90 days' orders lose a line? Judged after each snapshot."
    table = Table("snapshot, method", title=title, title_justify="left")
    table.add_column("ROC-AUC", justify="right", no_wrap=True)
    table.add_column("average precision", justify="right", no_wrap=True)
    for snapshot in dict.fromkeys(line.snapshot for line in report.comparisons):
        lines = [line for line in report.comparisons if line.snapshot == snapshot]
        table.add_row(f"{snapshot} (n {lines[0].n:,}, base {lines[0].base_rate:.3f})", style="dim")
        best = max(line.roc_auc.value for line in lines)
        for line in lines:
            found = (_with_interval(line.roc_auc), _with_interval(line.average_precision))
            style = "bold" if line.roc_auc.value == best else None
            table.add_row(f"  {line.method}", *found, style=style, end_section=line is lines[-1])
    return table


def _with_interval(found: Interval) -> str:
    value, low, high = (f"{x:.3f}".removeprefix("0") for x in (found.value, found.low, found.high))
    return f"{value} \\[{low}, {high}]"


def _summary(report: TrainingReport) -> str:
    rows = report.rows
    left_out = sum(rows.immature.values())
    alias = ", now [bold]champion[/]" if report.champion else ""
    return (
        f"learned from {rows.train:,} rows ({rows.train_positive:,} positive) of {len(rows.train_snapshots)} "
        f"snapshots, {rows.train_snapshots[0]} to {rows.train_snapshots[-1]}; "
        f"{left_out:,} later rows left out: their labels are not mature by {report.known_until:%Y-%m-%d}\n"
        f"model [bold]{report.model_name}[/] version {report.model_version}{alias}, run {report.run_id}\n"
        f"look: .venv/bin/mlflow ui --backend-store-uri {report.tracking_uri}"
    )
