"""``buyer-tier serve``: answer over HTTP until stopped."""

from __future__ import annotations

from typing import Annotated

import typer


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; BUYER_TIER_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port, 0 for any free one; BUYER_TIER_PORT.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve the port, one per core; BUYER_TIER_WORKERS.")
    ] = None,
) -> None:
    """Serve scores and refund decisions, with the embedded PostgreSQL if no other is named.

    Ctrl-C or SIGTERM answers what is under way, then stops.

    Example: buyer-tier serve --port 8000 --workers 2
    """
    from serving.run import run
    from serving.settings import Settings

    said = {"host": host, "port": port, "workers": workers}
    given = {name: value for name, value in said.items() if value is not None}
    run(Settings(**given), announce=_announce)


def _announce(address: str, has_keys: bool) -> None:
    from buyer_tier.console import out

    out.print(f"buyer-tier serves on {address}", highlight=False)
    out.print(f"documentation     {address}/docs", highlight=False)
    if not has_keys:
        out.print(
            "there is no API key yet; make one: buyer-tier keys create --name after-sale "
            "--scope decide --scope score:read --scope events:write",
            highlight=False,
            soft_wrap=True,
        )
