"""``buyer-tier load``: bring an event log into the service's database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pyarrow as pa

    from serving.settings import Settings


def load(
    events: Annotated[str, typer.Option(help="Folder, file or URL of the event log.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Load an event log: all of it or, when anything is wrong, nothing.

    Events that are stored already are counted and left alone, so loading twice changes nothing.

    Example: buyer-tier load --events market
    """
    from buyer_tier.console import emit, err, out
    from buyer_tier.log_source import local_log, shown
    from features.log import read_log
    from serving.session import workspace
    from serving.settings import Settings

    settings = Settings()
    with err.status(f"reading {shown(events)}"), local_log(events) as path:
        table = read_log(path)
    with workspace(settings) as url:
        new = asyncio.run(_load(settings, url, table))
    known = table.num_rows - new
    if as_json:
        emit({"events": table.num_rows, "loaded": new, "duplicates": known})
        return
    out.print(f"{table.num_rows:,} events: {new:,} loaded, {known:,} stored already")


async def _load(settings: Settings, url: str, table: pa.Table) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from buyer_tier.console import err
    from serving.bulk import load_log
    from serving.session import opened

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err) as progress:
        sending = progress.add_task("sending events", total=table.num_rows)

        def sent(rows: int) -> None:
            progress.update(sending, completed=rows)
            if rows == table.num_rows:
                progress.add_task("storing and indexing", total=None)

        async with opened(settings, url) as database:
            return await load_log(database, table, progress=sent)
