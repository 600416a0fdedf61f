"""``buyer-tier keys``: who may ask the service, and for what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from serving.store.keys import ApiKey

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


@app.command()
def create(
    name: Annotated[str, typer.Option(help="Who will use it.")],
    scope: Annotated[
        list[str],
        typer.Option(
            help="decide, score:read, events:write, policy:propose, policy:activate, standing:read, "
            "standing:write, appeals:decide, audit:read; repeat it for more."
        ),
    ],
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=36_500, help="Days until it expires.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it; it is stored as a hash only and cannot be shown again.

    Example: buyer-tier keys create --name after-sale --scope decide --scope events:write
    """
    from buyer_tier.console import emit, err
    from features.errors import BadInput
    from serving.session import connected, run
    from serving.store import keys

    if unknown := sorted(set(scope) - set(keys.SCOPES)):
        raise BadInput(f"unknown scope {unknown[0]!r}; scopes are {', '.join(keys.SCOPES)}")
    if not name.strip() or "\0" in name:
        raise BadInput("--name must say who will use the key")
    now, scopes = datetime.now(UTC), tuple(sorted(set(scope)))
    expires = now + timedelta(days=expires_days) if expires_days else None
    key, made = run(
        connected,
        lambda database: keys.create(database, name=name, scopes=scopes, now=now, expires_at=expires),
    )
    if as_json:
        emit({"key": key, **_shown(made)})
        return
    err.print(f"key {made.key_id} for {name}; this is the only time it is shown", markup=False)
    print(key)


@app.command("list")
def list_(as_json: Json = False) -> None:
    """List the keys, without the keys themselves.

    Example: buyer-tier keys list
    """
    from rich.markup import escape
    from rich.table import Table

    from buyer_tier.console import emit, out
    from serving.session import connected, run
    from serving.store import keys

    found = run(connected, keys.every)
    if as_json:
        emit([_shown(key) for key in found])
        return
    table = Table("id", "name", "scopes", "created", "expires", "revoked")
    for key in found:
        times = (_day(key.created_at), _day(key.expires_at), _day(key.revoked_at))
        table.add_row(key.key_id, escape(key.name), ", ".join(key.scopes), *times)
    out.print(table)


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The id that `keys list` shows.")]) -> None:
    """Revoke a key; the service refuses it within seconds.

    Example: buyer-tier keys revoke 1f0c9a7be2d4
    """
    from buyer_tier.console import out
    from features.errors import BadInput
    from serving.session import connected, run
    from serving.store import keys

    revoked = run(connected, lambda database: keys.revoke(database, key_id, datetime.now(UTC)))
    if revoked is None:
        raise BadInput(f"there is no key {key_id!r}; `buyer-tier keys list` shows the ids")
    out.print(f"key {revoked.key_id} ({revoked.name}) is revoked", markup=False)


def _shown(key: ApiKey) -> dict[str, object]:
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }


def _day(when: datetime | None) -> str:
    return when.strftime("%Y-%m-%d %H:%M") if when else ""
