"""Our score beside what a data scientist has in an afternoon, on the same rows and the same time splits.

``make bench-quality``; the search of AutoML takes ten minutes a cell (``--automl-minutes``), four hours in
all, on one thread. Cells are kept under ``build/bench/quality/cells``: a run that is killed loses one, and
another goes on from there. ``BENCH_QUICK=1``: two snapshots, one small market, seconds of search.
``--cached`` computes nothing and shows what is there; ``--into docs/quality.md`` refreshes that page.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import quality_page as page
from benchmarks.quality_automl import NothingFoundError
from benchmarks.quality_bars import RANKING, Bar, bars
from benchmarks.quality_cells import Cell, cell_key, cell_path, computed, kept, rows_hash
from benchmarks.quality_curves import curves, plot
from benchmarks.quality_curves import tables as curve_tables
from benchmarks.quality_data import RETAIL, Trial, market_names, market_trial, retail_file, retail_trials
from benchmarks.quality_measures import Drawn, draw, together
from benchmarks.quality_methods import Budget, Method, methods

OUT: Final = Path("build/bench/quality.json")
QUICK: Final = bool(os.environ.get("BENCH_QUICK"))
CURVES: Final = Path("build/bench/quality/curves.png")
STUDIED_MARKET: Final = "market-1.0%-seed-1"
FIGURES: Final = "figures"
STUDIES: Final = "studies"
MARKETS: Final = "simulated markets"
LIBRARIES: Final = ("flaml", "lightgbm", "numpy", "pandas", "scikit-learn", "xgboost")


def main() -> None:
    asked = arguments()
    if asked.curves:
        return study(asked)
    real_minutes, market_minutes = asked.automl_minutes, asked.market_minutes or asked.automl_minutes
    chosen = {minutes: wanted(minutes, asked) for minutes in (real_minutes, market_minutes)}
    found = []
    for trials in datasets(asked.data):
        minutes = real_minutes if trials[0].dataset == RETAIL else market_minutes
        drawn = measured(trials, chosen[minutes], cached=asked.cached)
        found += [] if drawn is None else [drawn]
    real = next((drawn for drawn in found if drawn.dataset == RETAIL), None)
    markets = [drawn for drawn in found if drawn.dataset != RETAIL]
    whole = together(MARKETS, markets) if markets else None
    verdicts = bars(real, whole)
    tables = [page.means(drawn) for drawn in (real, whole) if drawn]
    tables += [page.by_snapshot(drawn, m) for drawn in (real, whole) if drawn for m in RANKING]
    tables += [page.verdicts(verdicts)]
    write(found + ([whole] if whole else []), verdicts)
    report(tables, FIGURES, asked)


def wanted(minutes: float, asked: argparse.Namespace) -> list[Method]:
    """Give the methods asked for, AutoML with so many minutes."""
    budget = Budget(minutes=minutes, threads=asked.threads)
    return [m for m in installed(methods(budget)) if not asked.methods or m.name in asked.methods]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--automl-minutes", type=float, default=0.1 if QUICK else 10.0)
    parser.add_argument("--market-minutes", type=float, help="on the markets, if others")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the search, so that cells fit side by side"
    )
    parser.add_argument("--data", choices=("all", "real", "markets"), default="all")
    parser.add_argument("--methods", type=lambda text: text.split(","), help="some of them, by comma")
    parser.add_argument("--curves", action="store_true", help="learning curve and ablation instead")
    parser.add_argument("--cached", action="store_true", help="compute nothing, show what is there")
    parser.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    parser.add_argument("--into", type=Path, help="put the tables into a page (docs/quality.md)")
    return parser.parse_args()


def installed(found: Sequence[Method]) -> list[Method]:
    """Leave out AutoML where its packages are not there."""
    if all(find_spec(name) for name in ("flaml", "xgboost")):
        return list(found)
    say("automl is left out: install it with pip install '.[bench]', as make bench-quality does")
    return [method for method in found if not method.name.startswith("automl")]


def study(asked: argparse.Namespace) -> None:
    """Learning curve and ablation, of real data and of one market."""
    wanted = next(iter(market_names(quick=True))) if QUICK else STUDIED_MARKET
    found = [curves(trials, say=say) for trials in datasets(asked.data, market=wanted)]
    plot(found, CURVES)
    tables = [table for one in found for table in curve_tables(one)]
    report(tables, STUDIES, asked)
    say(f"drawn in {CURVES}")


def report(tables: Sequence[page.Table], part: str, asked: argparse.Namespace) -> None:
    """Print the tables, and put them into a page between its marks."""
    print(page.markdown(tables)) if asked.markdown else page.show(tables)
    if asked.into:
        asked.into.write_text(page.put_between(asked.into.read_text(), part, page.markdown(tables)))


def datasets(which: str, *, market: str | None = None) -> Iterator[list[Trial]]:
    """Give the trials of one data set after the other; only one is in memory."""
    if which != "markets":
        if retail_file().exists():
            yield list(retail_trials(quick=QUICK))
        else:
            say(f"{RETAIL} is skipped: {retail_file()} is not there (BUYER_TIER_SHARED names another folder)")
    if which != "real":
        for name, config in market_names(quick=QUICK).items():
            if market in (None, name):
                yield [market_trial(name, config)]


def measured(trials: Sequence[Trial], chosen: Sequence[Method], *, cached: bool) -> Drawn | None:
    """Answer every cell of a data set and measure the methods that have all of theirs."""
    answers: dict[str, list[Cell | None]] = {}
    for method in chosen:
        if method.suits(trials[0]):
            answers[method.name] = [cell(trial, method, cached=cached) for trial in trials]
    whole = {name: cells for name, cells in answers.items() if None not in cells}
    for name in answers.keys() - whole.keys():
        say(
            f"{trials[0].dataset}: {name} is left out, {answers[name].count(None)} of its cells are not there"
        )
    if not whole:
        return None
    judged = [
        rows
        for i, trial in enumerate(trials)
        for rows in trial.judged({name: cells[i].p for name, cells in whole.items()})
    ]
    return draw(trials[0].dataset, judged, seed=0)


def cell(trial: Trial, method: Method, *, cached: bool = False) -> Cell | None:
    """Find a cell, or compute it."""
    key = cell_key(method.name, rows=rows_hash(trial, method.columns), settings=method.settings())
    path = cell_path(trial, method.name, key)
    if cached or path.exists():
        return kept(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = computed(path, lambda: method.answer(trial))
    except NothingFoundError as nothing:
        say(f"{trial.dataset} {method.name}: {nothing}")
        return None
    learner = found.notes.get("learner", "")
    say(f"{trial.dataset} {trial.snapshots[0]} {method.name}: {found.cpu_seconds:.0f} s {learner}")
    return found


def write(found: Sequence[Drawn], verdicts: Sequence[Bar]) -> None:
    """Keep every figure."""
    versions = {name: release(name) for name in LIBRARIES} | {"python": sys.version.split()[0]}
    rows = [row for drawn in found for row in page.json_rows(drawn)]
    said = [
        asdict(bar.figure) | {"words": bar.words, "limit": bar.limit, "verdict": bar.verdict}
        for bar in verdicts
    ]
    report = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "rows": rows, "bars": said}
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(report, indent=1))


def release(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def say(words: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {words}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
