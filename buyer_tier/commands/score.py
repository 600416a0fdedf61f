"""``buyer-tier score``: the score of some buyers, by the service's database, or of a whole event log."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from features.errors import BadInput

from .on_spark import Engine, EngineOption, MasterOption, TasksOption, refuse_without_spark

if TYPE_CHECKING:
    from serving.scoring import BuyerScored


def score(
    buyers: Annotated[list[str] | None, typer.Argument(metavar="BUYER…", help="Ids of buyers.")] = None,
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="What was known before counts. Default: now.")
    ] = None,
    everyone: Annotated[
        bool,
        typer.Option("--all", help="Every buyer of a log, without the service: with --events and --out."),
    ] = False,
    events: Annotated[str | None, typer.Option(help="With --all: folder or file of the event log.")] = None,
    out_file: Annotated[
        str | None, typer.Option("--out", help="With --all: a new Parquet file; with Spark a new folder.")
    ] = None,
    engine: EngineOption = Engine.local,
    master: MasterOption = None,
    tasks: TasksOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Score buyers as the service would, with the reasons; or every buyer of a log, into Parquet.

    Example: buyer-tier score B-1001 B-1002 --as-of 2026-03-01T00:00:00Z

    Example: buyer-tier score --all --events market --as-of 2026-03-01T00:00:00Z --out scores.parquet
    """
    refuse_without_spark(engine, spark_master=master, spark_tasks=tasks)
    if everyone:
        _score_all(
            buyers, events, out_file, as_of=as_of, engine=engine, master=master, tasks=tasks, as_json=as_json
        )
    elif events or out_file or engine is not Engine.local:
        raise BadInput("--events, --out and --engine belong to --all")
    elif not buyers:
        raise BadInput("name buyers, or give --all with --events DIR and --out FILE")
    else:
        _score(buyers, as_of=as_of, as_json=as_json)


def _score_all(
    buyers: list[str] | None,
    events: str | None,
    out_file: str | None,
    *,
    as_of: str | None,
    engine: Engine,
    master: str | None,
    tasks: int | None,
    as_json: bool,
) -> None:
    from buyer_tier.console import emit, out

    from .score_all import score_all

    if buyers or events is None or out_file is None or as_of is None:
        raise BadInput("--all takes no BUYER, and needs --events DIR, --as-of TIME and --out FILE")
    when = _instant(as_of)
    done = score_all(events, out_file, as_of=when, engine=engine, master=master, tasks=tasks)
    if as_json:
        emit(done)
    else:
        out.print(f"{done['rows']:,} buyers scored by model version {done['model_version']} in {out_file}")


def _score(buyers: list[str], *, as_of: str | None, as_json: bool) -> None:
    from buyer_tier.console import emit
    from serving.direct import scoring
    from serving.logs import configure_logs
    from serving.session import run

    configure_logs(quiet=True)
    when = _instant(as_of) if as_of else datetime.now(UTC)
    scored = run(scoring, lambda service: service.scores(buyers, as_of=when, explain=True))
    if as_json:
        import msgspec

        from serving.api.scores import shown

        emit(msgspec.to_builtins({"items": [shown(one) for one in scored]}))
        return
    _print(scored)


def _instant(text: str) -> datetime:
    from pydantic import TypeAdapter, ValidationError

    from serving.api.schemas import Instant

    try:
        return TypeAdapter[datetime](Instant).validate_python(text)
    except ValidationError as error:
        raise BadInput(f"--as-of {text!r}: {error.errors()[0]['msg']}") from error


def _print(scored: list[BuyerScored]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import out

    table = Table("buyer", "score", "p_abuse", "tier", "reasons (+ raises the risk)")
    for one in scored:
        reasons = [f"{r.contribution:+.2f} {r.text['en']}" for r in one.reasons or ()]
        table.add_row(
            escape(one.buyer_id),
            f"{one.evidence.score:.1f}",
            f"{one.evidence.p_abuse:.4f}",
            one.tier,
            escape("\n".join(reasons)),
        )
    out.print(table)
    out.print(f"as of {scored[0].as_of.isoformat()}, model version {scored[0].model_version}")
