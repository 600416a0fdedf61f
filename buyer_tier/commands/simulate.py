"""``buyer-tier simulate``: write the log of a marketplace with abusers in it."""

from __future__ import annotations

from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from backtest.marketplace import MarketConfig


def simulate(
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for events.parquet and truth.parquet.")],
    buyers: Annotated[int, typer.Option(help="Accounts.")] = 20_000,
    days: Annotated[int, typer.Option(help="Length of the history in days.")] = 540,
    abuse_rate: Annotated[float, typer.Option(help="Share of the accounts that abuse.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Simulate a marketplace and write its transaction history.

    truth.parquet holds who really is an abuser; nothing but reports may read it. Memory is bounded by
    10,000 buyers or a few days; the disk holds 75 bytes an event beside the log until it is written.

    Example: buyer-tier simulate --out market --buyers 2000 --days 365 --seed 7
    """
    from backtest.marketplace import MarketConfig
    from buyer_tier.console import emit, out
    from features.parts import EVENTS_FILE

    config = MarketConfig(buyers=buyers, days=days, abuse_rate=abuse_rate, seed=seed)
    events = _written(config, out_dir)
    file = out_dir / EVENTS_FILE
    if as_json:
        emit({"events": events, "buyers": buyers, "abusers": config.abusers, "file": str(file)})
        return
    out.print(f"{events:,} events of {buyers:,} buyers ({config.abusers:,} abusers) in {file}")


def _written(config: MarketConfig, out_dir: Path) -> int:
    from rich.progress import Progress

    from backtest.marketplace.streaming import write_market
    from buyer_tier.console import err
    from features.files import claimed, replacing
    from features.parts import EVENTS_FILE, TRUTH_FILE

    scratch = out_dir / ".simulate"
    with (
        claimed(scratch, result=out_dir),
        replacing(out_dir / TRUTH_FILE) as truth,
        replacing(out_dir / EVENTS_FILE) as events,
        Progress(console=err) as shown,
    ):
        task = shown.add_task(f"simulating {config.buyers:,} buyers over {config.days:,} days", total=1.0)
        try:
            return write_market(
                config,
                events=events,
                truth=truth,
                scratch=scratch,
                progress=lambda done: shown.update(task, completed=done),
            )
        finally:
            rmtree(scratch)
