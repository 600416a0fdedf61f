"""What is learned from and judged on: a retailer's log and simulated markets, cut as the product cuts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from backtest.marketplace.config import MarketConfig
from backtest.marketplace.market import simulate
from benchmarks.quality_measures import Judged
from features.sources.online_retail_ii import import_online_retail_ii
from training.cancellation import rows_of_snapshot
from training.dataset import Dataset, build_dataset
from training.evaluate import Floats
from training.labels import AbuseLabel, CancellationLabel, Label
from training.log import TrainingLog, instant, training_log
from training.splits import split_in_time
from training.window import N_TEST, snapshot_months

RETAIL: Final = "online-retail-ii"
RETAIL_FILE: Final = Path("data/online_retail_ii/online_retail_ii_to_2011_05.parquet")
RETAIL_SNAPSHOTS: Final = tuple(
    datetime(year, month, 1, tzinfo=UTC)
    for year, month in ((2010, 9), (2010, 10), (2010, 11), (2010, 12), (2011, 1))
)
"""First days of months with something to learn from by then and an outcome complete in the file."""
ABUSE_RATES: Final = (0.003, 0.01, 0.03)
SEEDS: Final = (1, 2)
BUYERS: Final = 40_000
"""So many that even 0.3% of abusers give, with the honest, some eighty positive rows to judge on."""
QUICK_BUYERS: Final = 6_000


@dataclass(frozen=True)
class Trial:
    """Rows to learn from and later rows to judge on; all methods get the same.

    Attributes
    ----------
    dataset : str
        Name of the data; measures are averaged over the snapshots of one.
    log : TrainingLog
        The events, for methods that read them; they look at what was recorded before a row's instant.
    label : Label
        What is to be foreseen.
    truth : pa.Table, optional
        The hidden truth of a simulated market; only the oracle may look.
    """

    dataset: str
    log: TrainingLog
    label: Label
    train: Dataset
    test: Dataset
    truth: pa.Table | None = None

    @property
    def snapshots(self) -> tuple[str, ...]:
        """Days judged on."""
        return tuple(f"{instant(at):%Y-%m-%d}" for at in np.unique(self.test.as_of))

    def judged(self, scores: Mapping[str, Floats]) -> list[Judged]:
        """Cut the later rows and their scores by snapshot."""
        y, buyer, as_of = self.test.y, self.test.buyer, self.test.as_of
        found = []
        for at, name in zip(np.unique(as_of), self.snapshots, strict=True):
            here = as_of == at
            cut = {method: p[here] for method, p in scores.items()}
            found.append(Judged(name, y[here], buyer[here], cut))
        return found

    @property
    def maturity(self) -> timedelta:
        """How long the label takes to be known."""
        return self.label.maturity

    @property
    def is_real(self) -> bool:
        """Whether the rows are the retailer's."""
        return self.dataset == RETAIL


def retail_file() -> Path:
    """Where the retailer's log would be."""
    beside = Path(__file__).resolve().parent.parent.parent / "shared"
    return Path(os.environ.get("BUYER_TIER_SHARED", beside)) / RETAIL_FILE


def retail_trials(*, quick: bool = False) -> Iterator[Trial]:
    """Cut the retailer's log as `train --task cancellation` does, one trial a snapshot."""
    log, label = training_log(import_online_retail_ii(retail_file()).events), CancellationLabel()
    for at in RETAIL_SNAPSHOTS[-2:] if quick else RETAIL_SNAPSHOTS:
        train, test = rows_of_snapshot(log, at, label=label)
        yield Trial(RETAIL, log, label, train, test)


def market_names(*, quick: bool = False) -> dict[str, MarketConfig]:
    """Name the simulated markets."""
    rates, seeds, buyers = (
        (ABUSE_RATES[-1:], SEEDS[:1], QUICK_BUYERS) if quick else (ABUSE_RATES, SEEDS, BUYERS)
    )
    return {
        f"market-{rate:.1%}-seed-{seed}": MarketConfig(buyers=buyers, abuse_rate=rate, seed=seed)
        for rate in rates
        for seed in seeds
    }


def market_trial(name: str, config: MarketConfig) -> Trial:
    """Cut a simulated market as `train` does: learn once, judge on the two latest complete months."""
    market, label = simulate(config), AbuseLabel()
    log = training_log(market.events)
    months = snapshot_months(log, maturity=label.maturity)
    split = split_in_time(months, known_until=log.known_until, maturity=label.maturity, n_test=N_TEST)
    rows = build_dataset(log, label=label, snapshots=[*split.train, *split.test])
    return Trial(name, log, label, rows.at(split.train), rows.at(split.test), market.truth)
