"""``buyer-tier score``: the score of some buyers, by the service's database and champion."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.scoring import BuyerScored


def score(
    buyers: Annotated[list[str], typer.Argument(metavar="BUYER…", help="Ids of buyers.")],
    as_of: Annotated[
        str | None, typer.Option(metavar="TIME", help="What was known before counts. Default: now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Score buyers as the service would, with the reasons.

    Example: buyer-tier score B-1001 B-1002 --as-of 2026-03-01T00:00:00Z
    """
    from buyer_tier.console import emit
    from serving.logs import configure_logs
    from serving.settings import Settings

    configure_logs(quiet=True)
    when = _instant(as_of) if as_of else datetime.now(UTC)
    scored = asyncio.run(_scored(Settings(), buyers, when))
    if as_json:
        import msgspec

        from serving.api.scores import shown

        emit(msgspec.to_builtins({"items": [shown(one) for one in scored]}))
        return
    _print(scored)


def _instant(text: str) -> datetime:
    from pydantic import TypeAdapter, ValidationError

    from features.errors import BadInput
    from serving.api.schemas import Instant

    try:
        return TypeAdapter[datetime](Instant).validate_python(text)
    except ValidationError as error:
        raise BadInput(f"--as-of {text!r}: {error.errors()[0]['msg']}") from error


async def _scored(settings: object, buyers: list[str], when: datetime) -> list[BuyerScored]:
    from serving.direct import scoring
    from serving.session import workspace
    from serving.settings import Settings

    assert isinstance(settings, Settings)
    with workspace(settings) as url:
        async with scoring(settings, url) as opened:
            return await opened.scores(buyers, as_of=when, explain=True)


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
