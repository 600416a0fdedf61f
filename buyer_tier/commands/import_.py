"""``buyer-tier import``: bring foreign data into an event log, and say what was left out and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from buyer_tier.console import emit, err, out
from features.errors import BadInput

if TYPE_CHECKING:
    import pyarrow as pa

    from features.check_report import CheckReport
    from features.sources.online_retail_ii import RetailImport

app = typer.Typer(help="Import foreign data into an event log (DIR/events.parquet).", no_args_is_help=True)

Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of the new log; made if absent.")]
Rejects = Annotated[
    Path | None,
    typer.Option("--rejects", metavar="FILE", help="Write what was not imported here (.csv or .parquet)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")]


@app.command("events")
def import_events(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A Parquet or CSV file, or a folder of them.")],
    directory: Out,
    rejects: Rejects = None,
    as_json: Json = False,
) -> None:
    """Check events that are already in the contract's columns, and write them as a log.

    Every row is checked. If any breaks a rule, nothing is written and the command fails with the counts
    and the first rows by number, unless --rejects names a file: then the sound rows are imported and the
    others are written there with their row number, the rule and the explanation. Rows are numbered from 1,
    without a CSV's header line. Times need a zone (2026-11-11T00:00:00+08:00), money is whole fen.

    For example:

      buyer-tier import events history.parquet --out data/shop

      buyer-tier import events exports/ --out data/shop --rejects refused.csv

      buyer-tier import events history.csv --out data/shop --rejects refused.parquet --json
    """
    from features.log import split_log

    _refuse_targets(path, directory, rejects)
    with err.status(f"Checking {path} …"):
        report = split_log(path)
    if report.rejected.num_rows and rejects is None:
        hint = "add --rejects FILE to set these aside and import the others"
        raise BadInput(f"{path}: {report.summary()}; {hint}")
    written = _write(report.accepted, report.rejected, directory, rejects)
    figures = _events_figures(report, written, rejects)
    if as_json:
        emit(figures)
    else:
        out.print(_figures_table("Events", report.read, report.accepted.num_rows))
        _print_refusals("rule", report.counts, report.first_rows)
        out.print(f"Wrote {written}")


@app.command("online-retail-ii")
def import_retail(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The workbook with two sheets, the Parquet or the CSV.")
    ],
    directory: Out,
    rejects: Rejects = None,
    as_json: Json = False,
) -> None:
    """Import Online Retail II, a UK retailer's invoices of 2009-12 to 2011-12 (UCI, CC BY 4.0).

    Each goods invoice of a known customer becomes an order placed and paid; a cancelled line is matched to
    the buyer's latest earlier purchase of the item and becomes a refund. 1 GBP counts as 1,000 fen; London
    times become UTC; what is inferred is named in the column "imputed". All other lines are counted by
    reason, and written with --rejects.

    For example:

      buyer-tier import online-retail-ii online_retail_II.xlsx --out data/retail

      buyer-tier import online-retail-ii online_retail_ii.parquet --out data/retail --rejects left-out.csv

      buyer-tier import online-retail-ii online_retail_II.xlsx --out data/retail --json
    """
    from features.sources.online_retail_ii import import_online_retail_ii

    _refuse_targets(file, directory, rejects)
    with err.status(f"Reading {file} …"):
        result = import_online_retail_ii(file)
    written = _write(result.events, result.rejected, directory, rejects)
    figures = _retail_figures(result, written, rejects)
    if as_json:
        emit(figures)
    else:
        _print_retail(result)
        out.print(f"Wrote {result.events.num_rows:,} events to {written}")


def _refuse_targets(source: Path, directory: Path, rejects: Path | None) -> None:
    from features.parts import EVENTS_FILE, TABLE_SUFFIXES

    if rejects is not None and rejects.suffix.lower() not in TABLE_SUFFIXES:
        raise BadInput(f"{rejects}: --rejects must end in {' or '.join(TABLE_SUFFIXES)}")
    target = (directory / EVENTS_FILE).resolve()
    if source.resolve() in (target, directory.resolve()):
        raise BadInput(f"{directory}: --out would overwrite the source; name another folder")
    if rejects is not None and rejects.resolve() in (target, source.resolve()):
        raise BadInput(f"{rejects}: --rejects would overwrite the source or the log; name another file")


def _write(events: pa.Table, rejected: pa.Table, directory: Path, rejects: Path | None) -> Path:
    """Write both files or, when either fails, neither; give the log's file."""
    from features.files import replacing
    from features.log import write_log, write_table

    if rejects is None:
        return write_log(events, directory)
    with replacing(rejects) as temporary:
        write_table(rejected, temporary, kind=rejects.suffix.lower())
        return write_log(events, directory)


def _events_figures(report: CheckReport, written: Path, rejects: Path | None) -> dict[str, Any]:
    return {
        "read": report.read,
        "accepted": report.accepted.num_rows,
        "rejected": report.rejected.num_rows,
        "rejected_by_rule": dict(report.counts),
        "first_rows": dict(report.first_rows),
        "ignored_columns": report.ignored_columns,
        "events_file": written,
        "rejects_file": rejects,
    }


def _retail_figures(result: RetailImport, written: Path, rejects: Path | None) -> dict[str, Any]:
    return {
        "read": result.read,
        "accepted": result.accepted,
        "rejected": result.rejected.num_rows,
        "rejected_by_reason": dict(result.counts),
        "first_rows": dict(result.first_rows),
        "customers": result.customers,
        "buyers": result.buyers,
        "orders": result.orders,
        "refunds": result.refunds,
        "cancelled_lines": result.cancelled_lines,
        "matched_lines": len(result.lag_days),
        "match_rate": result.match_rate,
        "median_lag_days": result.median_lag_days,
        "events": result.events.num_rows,
        "events_file": written,
        "rejects_file": rejects,
    }


def _print_retail(result: RetailImport) -> None:
    table = _figures_table("Invoice lines", result.read, result.accepted)
    table.add_row("buyers with an order", f"{result.buyers:,} of {result.customers:,} customers")
    table.add_row("orders", f"{result.orders:,}")
    table.add_row("refunds", f"{result.refunds:,}")
    if result.match_rate is not None:
        matched = f"{len(result.lag_days):,} of {result.cancelled_lines:,} ({result.match_rate:.1%})"
        table.add_row("cancelled lines matched to a purchase", matched)
    if result.median_lag_days is not None:
        table.add_row("median days from order to cancellation", f"{result.median_lag_days:.1f}")
    out.print(table)
    _print_refusals("reason", result.counts, result.first_rows)


def _figures_table(title: str, read: int, accepted: int) -> Table:
    table = Table("figure", "value", title=title)
    table.add_row("read", f"{read:,}")
    table.add_row("accepted", f"{accepted:,}")
    table.add_row("rejected", f"{read - accepted:,}")
    return table


def _print_refusals(
    head: str, counts: Mapping[str, int], first_rows: Mapping[str, Sequence[int | str]]
) -> None:
    if not counts:
        return
    table = Table(head, "rows", "first rows", title="Rejected")
    for code, count in counts.items():
        table.add_row(code, f"{count:,}", ", ".join(map(str, first_rows[code])))
    out.print(table)
