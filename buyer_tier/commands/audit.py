"""``buyer-tier audit``: prove that nothing was altered, keep heads of chains, read one decision's dossier."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.auditing import Fault, Followed
    from serving.store.database import Database

app = typer.Typer(
    no_args_is_help=True,
    help="Audit: verify the chains of records, print their heads, show one decision's dossier.",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def heads(
    _as_json: Annotated[bool, typer.Option("--json", help="As always: heads are printed as JSON.")] = False,
) -> None:
    """Print every chain's place and hash as JSON, to be kept where nobody who can write the database can.

    Example: buyer-tier audit heads > heads-2026-11-23.json
    """
    from buyer_tier.console import emit
    from serving import auditing
    from serving.session import opened, run

    emit(run(opened, lambda database: auditing.heads(database, now=datetime.now(UTC))))


@app.command()
def verify(
    partition: Annotated[str | None, typer.Option(metavar="NAME", help="Only this chain.")] = None,
    heads: Annotated[
        str | None, typer.Option(metavar="FILE", help="What `audit heads` printed before.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Follow every chain of decisions, standings' changes and policies; find what was altered or is missing.

    Exit code 1 if a chain is broken. A chain that was cut off or written anew as a whole is found only
    with --heads.

    Example: buyer-tier audit verify --heads heads-2026-11-23.json
    """
    from rich.progress import Progress

    from buyer_tier.console import emit, err
    from serving import auditing
    from serving.session import opened, run

    known = {} if heads is None else auditing.read_heads(_bytes(heads), source=heads)

    async def work(database: Database) -> list[Followed]:
        with Progress(console=err) as progress:
            task = progress.add_task("records", total=None)
            return await auditing.verify(
                database,
                known=known,
                only=partition,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )

    found = run(opened, work)
    if as_json:
        emit(_document(found))
    else:
        _print(found, with_heads=heads is not None)
    if any(one.broken for one in found):
        raise typer.Exit(1)


def _document(found: list[Followed]) -> dict[str, Any]:
    return {
        "whole": all(one.broken is None for one in found),
        "records": sum(one.records.total() for one in found),
        "partitions": [
            {
                "partition": one.partition,
                "records": dict(one.records),
                "heads_found_again": list(one.checked),
                "faults": [
                    {
                        "place": fault.broken.place,
                        "fault": fault.broken.fault,
                        "detail": fault.broken.detail,
                        "record": fault.key,
                    }
                    for fault in one.faults
                ],
            }
            for one in found
        ],
    }


def _print(found: list[Followed], *, with_heads: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import out

    table = Table("partition", "records", "kept head", "")
    for one in found:
        kept = ", ".join(f"at {place:,}" for place in one.checked) or "-"
        said = "[green]whole[/]" if one.broken is None else f"[red]{_count(len(one.faults), 'fault')}[/]"
        table.add_row(one.partition, f"{one.records.total():,}", kept, said)
    out.print(table if found else "nothing was recorded yet")
    for one in found:
        for fault in one.faults:
            out.print(f"[red]{escape(_said(one, fault))}[/]", highlight=False, soft_wrap=True)
    broken = sum(one.broken is not None for one in found)
    count = sum(one.records.total() for one in found)
    whole = f"{broken} of {len(found)} broken" if broken else "all whole"
    out.print(f"{_count(count, 'record')} hold in {_count(len(found), 'chain')}, {whole}", highlight=False)
    if not with_heads:
        out.print("without --heads, a chain cut off or written anew as a whole is not noticed")


def _said(one: Followed, fault: Fault) -> str:
    broken, where = fault.broken, f", at {fault.key}" if fault.key else ""
    return f"{one.partition}: {broken.fault} at place {broken.place:,}{where}: {broken.detail}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("" if number == 1 else "s")


def _bytes(path: str) -> bytes:
    from pathlib import Path

    from features.errors import BadInput

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error


@app.command()
def dossier(
    decision: Annotated[
        str, typer.Argument(metavar="DECISION_ID", help="Of the decision or the after-sale.")
    ],
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write one page that needs nothing else.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Lay one decision open: request, rules, score and reasons, standing, caps, policy, its chain.

    Nothing in it is of another buyer.

    Example: buyer-tier audit dossier 019ca8a1-7b00-7c0e-9d3b-2f6f0e1b7a55 --html why.html
    """
    from pathlib import Path

    from buyer_tier.console import emit, out
    from buyer_tier.dossier_page import as_html
    from features.files import replacing
    from serving.logs import configure_logs

    configure_logs(quiet=True)
    found = _dossier(decision)
    if html is not None:
        with replacing(Path(html)) as file:
            file.write_text(as_html(found), encoding="utf-8")
        out.print(f"written: {html}", markup=False, highlight=False, soft_wrap=True)
    elif as_json:
        emit(found)
    else:
        _show(found)


def _dossier(decision: str) -> dict[str, Any]:
    import msgspec

    from features.errors import BadInput
    from serving.direct import laying_open
    from serving.session import run
    from serving.store.decisions import no_such

    found = run(laying_open, lambda dossiers: dossiers.dossier(decision))
    if found is None:
        raise BadInput(no_such(decision))
    plain: dict[str, Any] = msgspec.to_builtins(found)
    return plain


def _show(found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import out
    from buyer_tier.dossier_page import sections

    out.print(f"decision {found['decision_id']} of {found['after_sale_id']}", markup=False, highlight=False)
    for section in sections(found):
        out.print(f"\n[bold]{escape(section.title)}[/]")
        for line in section.lines:
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        if section.text is not None:
            out.print(section.text, markup=False, highlight=False)
        if section.rows:
            table = Table(*section.header, show_header=bool(section.header), box=None, pad_edge=False)
            for row in section.rows:
                table.add_row(*map(escape, row))
            out.print(table)
