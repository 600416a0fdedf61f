"""``buyer-tier standing``: look at one, move all on, prove that they follow from their transitions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.acting import Shown
    from serving.policies import Policies
    from serving.store.database import Database

app = typer.Typer(
    no_args_is_help=True, help="Standings: show one, sweep all, verify that they can be rebuilt."
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def show(buyer_id: Annotated[str, typer.Argument(metavar="BUYER")], as_json: Json = False) -> None:
    """Show a buyer's standing as it is recorded, with every change.

    Example: buyer-tier standing show B-1001
    """
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import emit, out
    from decisions.standing_events import as_record
    from serving.direct import moving
    from serving.logs import configure_logs
    from serving.session import run

    configure_logs(quiet=True)

    async def work(given: tuple[Database, Policies]) -> Shown:
        from serving.acting import look

        (database, policies), now = given, datetime.now(UTC)
        async with database.connection() as connection:
            return await look(connection, buyer_id, policy=policies.at(now), now=now)

    found = run(moving, work)
    if as_json:
        emit({"buyer_id": buyer_id, **as_record(found.standing), "history": found.history})
        return
    until = found.standing.until
    out.print(
        f"{buyer_id}: {found.standing.state}" + (f" until {until.isoformat()}" if until else ""), markup=False
    )
    table = Table("at (UTC)", "from", "to", "rule", "by", "policy")
    for e in found.history:
        unrecorded = e["version"] == 1 and e["from_state"] == "new"  # new or eligible, by the history
        names = ("to_state", "rule", "actor", "policy_version")
        before = "no record" if unrecorded else str(e["from_state"])
        table.add_row(str(e["at"])[:19], before, *(escape(str(e[name])) for name in names))
    out.print(table if found.history else "nothing was ever recorded")


@app.command()
def sweep(as_json: Json = False) -> None:
    """Measure the shops and move all standings on: events, scores, links, terms; run it every night.

    Example: buyer-tier standing sweep
    """
    from rich.progress import Progress

    from buyer_tier.console import emit, err, out
    from serving.direct import moving
    from serving.logs import configure_logs
    from serving.session import run

    configure_logs(quiet=True)

    async def work(given: tuple[Database, Policies]) -> dict[str, int]:
        from serving.direct import score_in_charge
        from serving.settings import Settings
        from serving.sweeping import sweep

        (database, policies), now = given, datetime.now(UTC)
        with Progress(console=err) as progress:
            task = progress.add_task("standings", total=None)
            return await sweep(
                database,
                policy=policies.at(now),
                now=now,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
                score=lambda: score_in_charge(Settings()),
            )

    found = run(moving, work)
    if as_json:
        emit(found)
        return
    out.print(f"{found['shops']:,} shops, {found['buyers']:,} buyers, {found['transitions']:,} transitions")


@app.command()
def rebuild(
    verify: Annotated[bool, typer.Option("--verify", help="Compare with what is recorded.")] = True,
    as_json: Json = False,
) -> None:
    """Build every standing again from its transitions and compare it with the record, to the byte.

    Exit code 1 if one differs.

    Example: buyer-tier standing rebuild --verify
    """
    from buyer_tier.console import emit, out
    from serving.session import opened, run
    from serving.sweeping import verify as verified

    count, wrong = run(opened, verified)
    if as_json:
        emit({"standings": count, "differing": [{"buyer_id": b, "found": f} for b, f in wrong]})
    else:
        for buyer_id, found in wrong:
            out.print(f"{buyer_id}: {found}", markup=False)
        out.print(f"{count:,} standings, {len(wrong):,} differ from what their transitions give")
    if wrong:
        raise typer.Exit(1)
