"""``buyer-tier demo``: the whole job once, on a simulated marketplace."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from buyer_tier.demo.run import Demo
    from serving.settings import Settings


def demo(
    buyers: Annotated[int, typer.Option(help="Accounts in the simulated marketplace.")] = 20_000,
    days: Annotated[int, typer.Option(help="Length of its history in days.")] = 540,
    abuse_rate: Annotated[float, typer.Option(help="Share of the accounts that abuse.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed, the same marketplace.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Simulate a marketplace, train, serve, and replay its last month of refund requests over HTTP.

    Leaves nothing running. Needs no settings and can be run again; everything it makes is in the workspace.

    Example: buyer-tier demo --buyers 5000
    """
    from backtest.marketplace import MarketConfig
    from buyer_tier.console import emit, out
    from buyer_tier.demo.report import table
    from buyer_tier.demo.run import run_demo
    from serving.settings import Settings

    config = MarketConfig(buyers=buyers, days=days, abuse_rate=abuse_rate, seed=seed)
    settings = Settings()
    found = run_demo(config, settings=settings, progress=_Shown())
    if as_json:
        emit(
            {
                "summary": asdict(found.summary),
                "training": found.training.as_dict(),
                "incomplete_requests": found.incomplete_requests,
            }
        )
        return
    out.print()
    out.print(table(found.summary))
    _say_next(found, settings)


class _Shown:
    """One line for each step on standard error: a spinner while it runs, then what came out."""

    def __init__(self) -> None:
        from buyer_tier.console import err

        self._console, self._status, self._title, self._start = err, err.status(""), "", 0.0

    def step(self, title: str) -> None:
        self._title, self._start = title, time.perf_counter()
        self._status.update(title)
        self._status.start()

    def detail(self, text: str) -> None:
        self._status.update(f"{self._title} [dim]({text})[/]")

    def done(self, found: str) -> None:
        self._status.stop()
        seconds = time.perf_counter() - self._start
        self._console.print(f"[green]✓[/] {self._title} [dim]{seconds:.1f} s[/]", highlight=False)
        self._console.print(f"  {found}", highlight=False)


def _say_next(found: Demo, settings: Settings) -> None:
    from buyer_tier.console import out

    home, refunded = settings.home, found.training
    lines = [
        "",
        f"The API key is in {home / 'demo' / 'api-key'}. Three commands to try next:",
        "  make serve    [dim]# keep the service up; its pages are at http://127.0.0.1:8000/docs[/]",
        f'  curl -s -H "Authorization: Bearer $(cat {home}/demo/api-key)" '
        "'http://127.0.0.1:8000/v1/refund-decisions?outcome=auto_refund&limit=3'",
        f"  .venv/bin/mlflow ui --backend-store-uri {settings.tracking_uri}"
        f"    [dim]# model version {refunded.model_version}[/]",
    ]
    if found.set_aside:
        lines.append(
            f"The workspace's earlier database held more than the demo's rows; it is now {found.set_aside}."
        )
    if found.incomplete_requests:
        lines.append(f"{found.incomplete_requests:,} requests of the log lacked a field and were not sent.")
    for line in lines:
        out.print(line, highlight=False, soft_wrap=True)
