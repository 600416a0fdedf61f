"""``buyer-tier models``: what is registered, and which version is in charge."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from models.registry import ModelVersion

app = typer.Typer(help="The registered models.", no_args_is_help=True)


@app.callback()
def _models() -> None:
    """Keep `list` a word of its own while it is the only one."""


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


def _print(versions: list[ModelVersion], *, name: str) -> None:
    from rich.table import Table

    from buyer_tier.console import out

    table = Table("version", "alias", "created (UTC)", title=name, title_justify="left")
    for column in ("ROC-AUC", "average precision", "calibration error"):
        table.add_column(column, justify="right")
    table.add_column("catalog")
    table.add_column("run", overflow="fold")
    for version in versions:
        measured = [version.metrics.get(m) for m in ("roc_auc", "average_precision", "calibration_error")]
        table.add_row(
            version.version,
            ", ".join(version.aliases),
            f"{version.created_at:%Y-%m-%d %H:%M}",
            *("" if value is None else f"{value:.4f}" for value in measured),
            version.catalog_version or "",
            version.run_id,
        )
    out.print(table)
