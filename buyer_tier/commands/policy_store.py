"""``buyer-tier policy propose … resume``: the policies of the service, in its database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

if TYPE_CHECKING:
    from serving.store.database import Connection
    from serving.store.keys import ApiKey
    from serving.store.policies import Activation

Result = TypeVar("Result")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Key = Annotated[
    str,
    typer.Option(envvar="BUYER_TIER_KEY", help="Who acts: an API key; better given by the environment."),
]
Reason = Annotated[str, typer.Option(help="Why, in words; kept for ever.")]


def add_to(app: typer.Typer) -> None:
    """Add the verbs to ``buyer-tier policy``."""
    for verb in (propose, activate, rollback, stop, resume, history):
        app.command()(verb)


def propose(file: Annotated[str, typer.Argument(metavar="FILE")], key: Key, as_json: Json = False) -> None:
    """Store a policy under its version for somebody else to activate; needs the scope policy:propose.

    Example: buyer-tier policy propose my-policy.toml
    """
    from buyer_tier.console import emit, out
    from models.policy_files import text_of
    from serving import policies

    text = text_of(file)

    async def work(connection: Connection, who: ApiKey) -> Any:
        return await policies.propose(connection, text, source=file, key=who)

    found, new = _acted(work, key=key, scope="policy:propose")
    if as_json:
        emit({"version": found.version, "content_id": found.content_id, "new": new})
        return
    state = "proposed; another key activates it" if new else "was proposed before, with the same content"
    out.print(f"policy {found.version} {state}", markup=False)


def activate(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="`notice` is the shipped policy.")],
    key: Key,
    reason: Reason,
    at: Annotated[
        str | None, typer.Option(metavar="T", help="From when, with its zone; at once, if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put a policy in force; needs the scope policy:activate, and a key other than the proposer's.

    Example: buyer-tier policy activate guarded-1 --reason "loss budget" --at 2026-12-01T00:00:00+08:00
    """
    from serving import policies

    starts_at = None if at is None else _instant(at)

    async def work(connection: Connection, who: ApiKey) -> Activation:
        now = datetime.now(UTC)
        return await policies.activate(connection, version, key=who, reason=reason, at=starts_at, now=now)

    _tell(_acted(work, key=key, scope="policy:activate"), as_json=as_json)


def rollback(key: Key, reason: Reason, as_json: Json = False) -> None:
    """Go back to the policy that was in force before, at once.

    Example: buyer-tier policy rollback --reason "too many reviews"
    """
    _change("rollback", key=key, reason=reason, as_json=as_json)


def stop(key: Key, reason: Reason, as_json: Json = False) -> None:
    """Throw the kill switch: every request goes to a person until `policy resume`.

    Example: buyer-tier policy stop --reason "the model is wrong"
    """
    _change("stop", key=key, reason=reason, as_json=as_json)


def resume(key: Key, reason: Reason, as_json: Json = False) -> None:
    """Lift the kill switch.

    Example: buyer-tier policy resume --reason "repaired"
    """
    _change("resume", key=key, reason=reason, as_json=as_json)


def history(as_json: Json = False) -> None:
    """Show what was put in force, when, by whom and why, the last first.

    Example: buyer-tier policy history
    """
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import emit, out
    from serving.session import connected, run
    from serving.store import policies as store

    acts = run(connected, store.activations)
    if as_json:
        emit([_shown(act) for act in reversed(acts)])
        return
    table = Table("at", "from", "act", "version", "by", "reason")
    for act in reversed(acts):
        shown = _shown(act)
        table.add_row(*(escape(shown[n] or "") for n in ("made_at", "starts_at", "action", "version")),
                      escape(act.maker), escape(act.reason))  # fmt: skip
    out.print(table if acts else "the shipped policy has been in force all the time")


def _change(action: Literal["rollback", "stop", "resume"], *, key: str, reason: str, as_json: bool) -> None:
    from serving import policies

    async def work(connection: Connection, who: ApiKey) -> Activation:
        return await policies.change(connection, action, key=who, reason=reason, now=datetime.now(UTC))

    _tell(_acted(work, key=key, scope="policy:activate"), as_json=as_json)


def _acted(work: Callable[[Connection, ApiKey], Awaitable[Result]], *, key: str, scope: str) -> Result:
    """Act as the holder of a key, in one transaction."""
    from features.errors import BadInput
    from serving.session import connected, run
    from serving.store import keys

    async def inside(connection: Connection) -> Result:
        who = await keys.find(connection, keys.hashed(key))
        if who is None or not who.valid_at(datetime.now(UTC)):
            raise BadInput(keys.refusal(who))
        if scope not in who.scopes:
            raise BadInput(f"the key {who.key_id} lacks the scope {scope}; use one that has it")
        try:
            async with connection.transaction():
                return await work(connection, who)
        except LookupError as error:
            raise BadInput(str(error.args[0])) from error

    return run(connected, inside)


def _instant(text: str) -> datetime:
    from features.errors import BadInput

    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadInput(f"--at {text!r} is no ISO 8601 time") from error
    if found.tzinfo is None:
        raise BadInput(f"--at {text!r} has no zone; write for instance {text}+08:00")
    return found.astimezone(UTC)


def _tell(act: Activation, *, as_json: bool) -> None:
    from buyer_tier.console import emit, out

    shown = _shown(act)
    if as_json:
        emit(shown)
        return
    said = {"stop": "automatic refunds are stopped", "resume": "automatic refunds go on"}.get(act.action)
    out.print(said or f"policy {shown['version']} is in force from {shown['starts_at']} on", markup=False)


def _shown(act: Activation) -> dict[str, Any]:
    """Tell of an act, its times to the second."""
    from serving.policies import shown

    return {
        name: value.isoformat(timespec="seconds") if isinstance(value, datetime) else value
        for name, value in shown(act).items()
    }
