"""``buyer-tier features verify``: compare stored vectors with what the event log gives offline."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from .features import instant

if TYPE_CHECKING:
    from rich.table import Table

    from serving.settings import Settings
    from serving.verify import Skew

CAUSES: Final = {
    "late_ingestion": "late ingestion (recorded before the decision, not in the service by then)",
    "lost_event": "lost event (in the service, not in this log)",
    "altered_event": "altered event (in this log with other content)",
    "unexplained": "unexplained",
}


def verify(
    sample: Annotated[int, typer.Option(min=1, help="How many stored decisions to draw.")] = 1000,
    every: Annotated[bool, typer.Option("--all", help="Take every decision instead of a sample.")] = False,
    since: Annotated[
        str | None, typer.Option(help="Only decisions made from then on, ISO 8601 with zone.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed draws the same decisions.")] = 0,
    events: Annotated[
        str | None,
        typer.Option(help="An offline event log: folder, file or URL. Default: the service's own events."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Recompute the vectors of stored decisions by the batch engine and name every difference's cause.

    The comparison is bit for bit. Late, lost and altered events explain a difference when undoing them in
    the log gives the stored vector; what nothing explains ends the command with exit code 1. The counts
    are kept in the database, and /metrics of the service exports the newest.

    Example: buyer-tier features verify --sample 5000

    Example: buyer-tier features verify --events market --since 2026-09-01T00:00:00Z --json
    """
    from buyer_tier.console import emit, err, out
    from serving.session import workspace
    from serving.settings import Settings

    after = None if since is None else instant(since, option="--since")
    settings = Settings()
    with workspace(settings) as url, err.status("reading decisions and events"):
        skew = _verified(url, sample=None if every else sample, since=after, seed=seed, events=events)
        summary = _summary(skew, events=events)
        asyncio.run(_keep(settings, url, summary))
    if as_json:
        emit(summary | {"by_feature": _by_feature(skew)})
    else:
        _print(skew, out.print)
    if skew.unexplained:
        raise typer.Exit(1)


def _verified(url: str, *, sample: int | None, since: datetime | None, seed: int, events: str | None) -> Skew:
    from buyer_tier.log_source import local_log
    from serving.verify import verify as compare

    if events is None:
        return compare(url, sample=sample, since=since, seed=seed)
    with local_log(events) as log:
        return compare(url, sample=sample, since=since, seed=seed, log=log)


async def _keep(settings: Settings, url: str, summary: dict[str, Any]) -> None:
    from serving.session import connected
    from serving.store import skew_checks

    async with connected(settings, url) as connection:
        await skew_checks.add(connection, summary)


def _summary(skew: Skew, *, events: str | None) -> dict[str, Any]:
    """Give the counts; every cause is named, also with none, so that a metric of it exists."""
    from features.catalog import CATALOG

    changed = sum(skew.other_catalogs.values())
    return {
        "log": "service" if events is None else "offline",
        "catalog_version": CATALOG.version,
        "decisions": skew.decisions,
        "compared": skew.compared,
        "differing": skew.differing,
        "by_cause": {cause: skew.by_cause[cause] for cause in CAUSES} | {"changed_catalog": changed},
        "other_catalogs": [
            {"catalog_version": v, "decisions": n, "features_not_compared": skew.not_compared[v]}
            for v, n in sorted(skew.other_catalogs.items())
        ],
    }


def _by_feature(skew: Skew) -> list[dict[str, Any]]:
    return [
        {
            "feature": feature,
            "cause": cause,
            "decisions": decisions,
            "example": {
                "decision_id": (example := skew.examples[feature, cause]).decision_id,
                "stored": _number(example.stored),
                "offline": _number(example.offline),
            },
        }
        for (feature, cause), decisions in skew.by_feature.most_common()
    ]


def _number(value: float) -> float | None:
    return None if value != value else value


def _print(skew: Skew, show: Any) -> None:
    if not skew.decisions:
        show("no decision is stored yet (or none since then): nothing to verify")
        return
    equal = skew.compared - skew.differing
    show(
        f"{skew.compared:,} of {skew.decisions:,} decisions recomputed: "
        f"{equal:,} equal to the bit, {skew.differing:,} differ"
    )
    for version, count in sorted(skew.other_catalogs.items()):
        left = skew.not_compared[version]
        show(f"changed catalog: {count:,} were made on {version}; {left} features not comparable, left out")
    for cause, words in CAUSES.items():
        if skew.by_cause[cause]:
            first = next(example for (_, why), example in skew.examples.items() if why == cause)
            show(f"{words}: {skew.by_cause[cause]:,}, such as {first.decision_id}")
    if skew.by_feature:
        show(_table(skew))


def _table(skew: Skew) -> Table:
    from rich.table import Table

    table = Table(title="Differences, each with the values of one decision", title_justify="left")
    for name in ("feature", "cause"):
        table.add_column(name, overflow="fold")
    for name in ("decisions", "stored", "offline"):
        table.add_column(name, justify="right")
    for (feature, cause), count in skew.by_feature.most_common():
        example = skew.examples[feature, cause]
        table.add_row(feature, cause, f"{count:,}", f"{example.stored:g}", f"{example.offline:g}")
    return table
