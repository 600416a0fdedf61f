"""``buyer-tier decide``: one refund request from a file, decided and stored as over HTTP."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serving.api.schemas import RefundDecisionIn
    from serving.service import DecisionService


def decide(
    request: Annotated[
        str | None, typer.Argument(metavar="REQUEST.json", help="The request, - for standard input.")
    ] = None,
    replay: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Make a stored decision again, or all, and compare every byte."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="With --replay all: from this instant on.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer's JSON.")] = False,
) -> None:
    """Decide one refund request, store the decision, and show every rule's verdict.

    The same after-sale id is decided once: again, it shows the stored decision.

    With --replay nothing is stored: a decision is made again from its stored vector and evidence by the
    model, the policy and the rules that made it. Exit code 1 if a byte differs.

    Example: buyer-tier decide request.json

    Example: buyer-tier decide --replay 019ca8a1-7b00-7c0e-9d3b-2f6f0e1b7a55
    """
    from serving.logs import configure_logs

    configure_logs(quiet=True)
    if replay is not None:
        _again(request, replay, since, as_json=as_json)
        return
    sent = _read(_given(request, since))
    answer, created = _decided(sent)
    if as_json:
        sys.stdout.write(answer.decode() + "\n")
        return
    _print(json.loads(answer), created=created)


def _again(request: str | None, which: str, since: str | None, *, as_json: bool) -> None:
    from features.errors import BadInput

    from . import replay
    from .features import instant

    if request is not None:
        raise BadInput("give a request or --replay, not both")
    if since is not None and which != replay.ALL:
        raise BadInput("--since goes with --replay all")
    replay.replay(which, since=None if since is None else instant(since, option="--since"), as_json=as_json)


def _given(request: str | None, since: str | None) -> str:
    from features.errors import BadInput

    if request is None or since is not None:
        raise BadInput("name the file of a request, or a stored decision with --replay ID")
    return request


def _read(source: str) -> RefundDecisionIn:
    from pathlib import Path

    from pydantic import ValidationError

    from features.errors import BadInput
    from serving.api.problems import invalid_document
    from serving.api.schemas import RefundDecisionIn

    try:
        content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise BadInput(f"{source}: cannot be read: {error.strerror}") from error
    try:
        return RefundDecisionIn.model_validate_json(content)
    except ValidationError as error:
        raise BadInput(f"{source}: {invalid_document(error).detail}") from error


def _decided(sent: RefundDecisionIn) -> tuple[bytes, bool]:
    from serving.direct import deciding
    from serving.session import run

    now = datetime.now(UTC)
    asked = sent.request(now)

    async def work(service: DecisionService) -> tuple[bytes, bool]:
        decided = await service.decide(asked, digest=sent.digest(asked), decided_at=now)
        return (await service.explain([decided.row]))[0], decided.created

    return run(deciding, work)


def _print(answer: dict[str, Any], *, created: bool) -> None:
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import out

    colour = "green" if answer["outcome"] == "auto_refund" else "yellow"
    out.print(f"[{colour}]{answer['outcome']}[/]  {escape(answer['message']['en'])}")
    out.print(escape(answer["message"]["zh"]))
    table = Table("rule", "", "found")
    for rule in answer["rules"]:
        table.add_row(
            rule["code"], "[green]pass[/]" if rule["passed"] else "[red]fail[/]", escape(rule["detail"])
        )
    out.print(table)
    buyer = answer["buyer"]
    out.print(f"buyer: {buyer['score']:.1f} points, tier {buyer['tier']}, standing {buyer['standing']}")
    for reason in buyer["reasons"] or ():
        out.print(escape(f"  {reason['contribution']:+.2f}  {reason['text']['en']}"))
    known = "stored" if created else "decided before; this is the stored decision"
    versions = f"model {answer['model_version']}, policy {answer['policy_version']}"
    out.print(f"{known}: {answer['decision_id']}, {versions}")
