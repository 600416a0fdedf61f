"""``buyer-tier simulate``: write the log of a marketplace with abusers in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def simulate(
    out_dir: Annotated[Path, typer.Option("--out", help="Folder for events.parquet and truth.parquet.")],
    buyers: Annotated[int, typer.Option(help="Accounts.")] = 20_000,
    days: Annotated[int, typer.Option(help="Length of the history in days.")] = 540,
    abuse_rate: Annotated[float, typer.Option(help="Share of the accounts that abuse.")] = 0.01,
    seed: Annotated[int, typer.Option(help="The same seed writes the same bytes.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Simulate a marketplace and write its transaction history.

    truth.parquet holds who really is an abuser; nothing but reports may read it.

    Example: buyer-tier simulate --out market --buyers 2000 --days 365 --seed 7
    """
    from backtest.marketplace import MarketConfig
    from backtest.marketplace import simulate as run
    from buyer_tier.console import emit, err, out
    from features.files import replacing
    from features.log import write_log, write_table

    config = MarketConfig(buyers=buyers, days=days, abuse_rate=abuse_rate, seed=seed)
    with err.status(f"simulating {buyers:,} buyers over {days:,} days"):
        market = run(config)
        with replacing(out_dir / "truth.parquet") as temporary:
            write_table(market.truth, temporary, kind=".parquet")
        written = write_log(market.events, out_dir)
    abusers = sum(market.truth["is_abuser"].to_pylist())
    if as_json:
        emit({"events": len(market.events), "buyers": buyers, "abusers": abusers, "file": str(written)})
        return
    out.print(f"{len(market.events):,} events of {buyers:,} buyers ({abusers:,} abusers) in {written}")
