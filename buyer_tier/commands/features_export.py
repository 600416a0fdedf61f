"""``buyer-tier features export``: the service's events and decisions, back as Parquet."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def export(
    directory: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A new folder, or an earlier export to add to.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Bring the service's events and decisions back as Parquet, for training and backtests.

    DIR is an event log that every --events takes; DIR/decisions.parquet has one row a decision with the
    vector, a column a feature. Exporting into the same folder again adds only what has arrived since,
    whenever it was recorded.

    Example: buyer-tier features export --out exported

    Example: buyer-tier train --events exported
    """
    from buyer_tier.console import emit, err, out
    from serving.export import export as bring_back
    from serving.session import workspace
    from serving.settings import Settings

    with workspace(Settings()) as url, err.status("reading events") as status:
        done = bring_back(
            url, directory, on_rows=lambda what, rows: status.update(f"{rows:,} {what} written")
        )
    if as_json:
        emit(asdict(done) | {"out": str(directory)})
        return
    out.print(
        f"{done.new_events:,} new events and {done.new_decisions:,} new decisions in {directory}; "
        f"it holds {done.events:,} and {done.decisions:,}"
    )
