"""``buyer-tier models``: what is registered, which version is in charge, and how that changes."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.registry import ModelVersion, Registry
    from models.succession import Change

app = typer.Typer(help="The registered models.", no_args_is_help=True)


@app.command("list")
def list_versions(
    name: Annotated[str, typer.Option(help="Registered model.")] = "buyer-score",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """List the versions of a model, newest first, with aliases and metrics.

    Example: buyer-tier models list
    """
    from buyer_tier.console import emit, out
    from models.registry import Registry
    from serving.settings import Settings

    uri = Settings().tracking_uri
    versions = Registry(uri, name=name).versions()
    if as_json:
        emit([asdict(version) | {"created_at": version.created_at.isoformat()} for version in versions])
    elif versions:
        _print(versions, name=name)
    else:
        out.print(f"no version of {name} in {uri}; train one: buyer-tier train --events DIR", soft_wrap=True)


@app.command()
def promote(
    version: Annotated[str, typer.Argument(help="Version to put in charge.")],
    reason: Annotated[str, typer.Option(help="Why; it is kept with the model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Put a version in charge, whatever the gates said. It must load and pass its self-check.

    Example: buyer-tier models promote 4 --reason "swap set approved by risk, 2026-11-20"
    """
    from models import succession

    change = succession.promote(_registry(), version, reason=reason)
    succession.settle_by_hand(_registry(), change)
    _say(change, as_json=as_json)


@app.command()
def rollback(
    reason: Annotated[str, typer.Option(help="Why; it is kept with the model.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Give the alias back to the champion before this one; no retraining promotes what was rolled back.

    Example: buyer-tier models rollback --reason "complaints since noon"
    """
    from models import succession

    _say(succession.rollback(_registry(), reason=reason), as_json=as_json)


@app.command()
def history(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """List who was put in charge, when, by whom and why.

    Example: buyer-tier models history
    """
    from rich.table import Table

    from buyer_tier.console import emit, out
    from models.succession import changes

    done = changes(_registry())
    if as_json:
        emit([asdict(change) for change in done])
        return
    table = Table("when (UTC)", "what", "version", "instead of", "by", "why")
    for change in done:
        table.add_row(change.at, change.action, change.version, change.replaced, change.by, change.reason)
    out.print(table)


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="A version.")],
    second: Annotated[str, typer.Argument(help="Another version.")],
    events: Annotated[
        str | None, typer.Option(help="Judge both again on this log's newest complete window.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show two versions side by side: their runs' figures, or both judged on the same rows.

    The figures of two runs may come from different months; with --events the rows are the same and the
    difference has an interval.

    Example: buyer-tier models compare 3 4 --events market
    """
    from buyer_tier.console import emit, out
    from training.side_by_side import judged_again, of_runs

    found = of_runs(_registry(), first, second)
    if events is not None:
        from buyer_tier.log_source import local_log
        from features.log import read_log
        from serving.settings import Settings

        with local_log(events) as path:
            log = read_log(path)
            found = judged_again(_registry(), first, second, events=log, policy=Settings().policy)
    if as_json:
        emit([asdict(line) for line in found])
        return
    from rich.table import Table

    table = Table("measure", f"version {first}", f"version {second}", "difference")
    for line in found:
        gap = "" if line.low is None else f" ({line.low:+.4f} to {line.high:+.4f})"
        table.add_row(
            line.measure, f"{line.first:.4f}", f"{line.second:.4f}", f"{line.second - line.first:+.4f}{gap}"
        )
    out.print(table)


def _registry() -> Registry:
    from models.registry import Registry
    from serving.settings import Settings

    return Registry(Settings().tracking_uri)


def _say(change: Change, *, as_json: bool) -> None:
    from buyer_tier.console import emit, out

    if as_json:
        emit(asdict(change))
        return
    instead = f" instead of {change.replaced}" if change.replaced else ""
    out.print(f"version [bold]{change.version}[/] is in charge{instead}; services follow within seconds")


def _print(versions: list[ModelVersion], *, name: str) -> None:
    from rich.table import Table

    from buyer_tier.console import out
    from models.registry import CUT_OFF_TAG

    table = Table("version", "alias", "created (UTC)", title=name, title_justify="left")
    for column in ("ROC-AUC", "average precision", "calibration error"):
        table.add_column(column, justify="right")
    table.add_column("proven cut-off", justify="right")
    table.add_column("verdict", overflow="fold")
    table.add_column("run", overflow="fold")
    for version in versions:
        measured = [version.metrics.get(m) for m in ("roc_auc", "average_precision", "calibration_error")]
        table.add_row(
            version.version,
            ", ".join(version.aliases),
            f"{version.created_at:%Y-%m-%d %H:%M}",
            *("" if value is None else f"{value:.4f}" for value in measured),
            version.tags.get(CUT_OFF_TAG, ""),
            _verdict(version),
            version.run_id,
        )
    out.print(table)


def _verdict(version: ModelVersion) -> str:
    """Say what became of a version: its gates' verdict, what a person did, what was left of a dead run."""
    said = (
        version.tags.get("verdict", ""),
        version.tags.get("settled", ""),
        version.tags.get("leftover", ""),
    )
    first = said[0].split(";")[0]
    return "; ".join(dict.fromkeys(word for word in (first, *said[1:]) if word))
