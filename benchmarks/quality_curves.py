"""Whether there is more signal to have: a learning curve over buyers, and an ablation by family of features.

``python -m benchmarks.quality --curves`` (cells are kept like the others). A curve that still rises says that
more buyers would help; one that is flat, that they would not. A family is the features of one reason code of
the catalog; leaving it out means that all its columns are undefined, in learning and in judging.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from benchmarks.quality_cells import cell_key, cell_path, computed, rows_hash
from benchmarks.quality_data import Trial
from benchmarks.quality_measures import Drawn, draw
from benchmarks.quality_methods import ours, product_code
from benchmarks.quality_page import SHORT, Table, said, signed
from features.catalog import CATALOG
from training.dataset import Dataset

FOLDER: Final = Path("build/bench/quality")
SHARES: Final = (0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
SEEDS: Final = (0, 1, 2)
ALL: Final = "all features"
N_DRAWS: Final = 200
VARIANTS: Final = 2
"""To be raised when a variant comes to mean something else: its cells are then not those of before."""
PLOTTED: Final = ("roc_auc", "average_precision")

Scores = Callable[[Trial], np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Curves:
    """Both studies of one data set."""

    learning: Drawn
    ablation: Drawn
    columns: Mapping[str, int]


def curves(trials: Sequence[Trial], *, say: Callable[[str], None]) -> Curves:
    """Fit ours on shares of the buyers, and without or with one family only."""
    families = {reason: names for reason, names in by_reason().items() if _varies(trials, names)}
    learning = {_share(share, seed): _on_share(share, seed) for share in SHARES for seed in SEEDS}
    ablation: dict[str, Scores] = {ALL: ours}
    for reason, names in families.items():
        others = [name for name in CATALOG.names if name not in names]
        ablation |= {f"without {reason}": _without(names), f"only {reason}": _without(others)}
    columns = {reason: len(names) for reason, names in families.items()}
    return Curves(_drawn(trials, learning, say), _drawn(trials, ablation, say), columns)


def by_reason() -> Mapping[str, list[str]]:
    """Group the catalog's columns by their reason code."""
    found: dict[str, list[str]] = {}
    for name, reason in zip(CATALOG.names, CATALOG.reason_codes, strict=True):
        found.setdefault(reason, []).append(name)
    return found


def share_of_buyers(rows: Dataset, share: float, *, seed: int) -> Dataset:
    """Keep all rows of some buyers, drawn at random, those of shorter windows too."""
    buyers = np.unique(np.concatenate([rows.buyer, *(part.rows.buyer for part in rows.newer)]))
    drawn = np.random.default_rng(seed).permutation(buyers)[: max(1, round(share * len(buyers)))]
    return of_each(rows, lambda part: part.where(np.isin(part.buyer, drawn)))


def tables(found: Curves) -> Iterator[Table]:
    """A line a share, and a line a family."""
    name = found.learning.dataset
    lines = [(f"{share:.0%}", *(_range(found.learning, share, m) for m in SHORT)) for share in SHARES]
    heads = (
        "buyers learned from",
        *(f"{words}, mean (range of {len(SEEDS)} draws)" for words in SHORT.values()),
    )
    yield Table(f"{name}: learning curve", heads, tuple(lines))
    drawn = found.ablation
    rows = [
        ("all", str(len(CATALOG.names)), *("" for _ in PLOTTED), *(said(drawn.of(ALL, m)) for m in PLOTTED))
    ]
    for reason, columns in found.columns.items():
        lost = [signed(drawn.ahead(f"without {reason}", ALL, m)) for m in PLOTTED]
        rows.append((reason, str(columns), *lost, *(said(drawn.of(f"only {reason}", m)) for m in PLOTTED)))
    heads = (
        "family",
        "columns",
        *(f"without it, {SHORT[m]}" for m in PLOTTED),
        *(f"it alone, {SHORT[m]}" for m in PLOTTED),
    )
    yield Table(f"{name}: ablation by family", heads, tuple(rows))


def plot(found: Sequence[Curves], path: Path) -> None:
    """Draw a row of pictures a data set: the curve, and what each family is worth."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 4.8 * len(found)), layout="constrained")
    axes = figure.subplots(len(found), 3, squeeze=False, width_ratios=(1, 1, 1.5))
    for row, one in zip(axes, found, strict=True):
        for axis, measure in zip(row, PLOTTED, strict=False):
            _plot_curve(axis, one.learning, measure)
        _plot_families(row[2], one)
        for axis in row:
            axis.spines[["top", "right"]].set_visible(False)
            axis.set_title(axis.get_title(), loc="left", fontsize=11)
            axis.set_title("")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _plot_curve(axis: Any, drawn: Drawn, measure: str) -> None:
    from matplotlib.ticker import MaxNLocator

    values = np.array([[drawn.of(_share(s, seed), measure).value for seed in SEEDS] for s in SHARES])
    axis.fill_between(SHARES, values.min(axis=1), values.max(axis=1), alpha=0.25, linewidth=0)
    axis.plot(SHARES, values.mean(axis=1), marker="o")
    axis.set(title=f"{drawn.dataset}: {SHORT[measure]}", xlabel="share of the buyers learned from")
    axis.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axis.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_formatter("{x:.3f}")
    axis.grid(axis="y", color="#e5e7eb")


def _plot_families(axis: Any, one: Curves) -> None:
    """The families that lose most when they are left out come first."""
    value = {name: one.ablation.of(f"without {name}", "roc_auc").value for name in one.columns}
    names = sorted(one.columns, key=lambda name: -value[name])
    looks = {"without": ("without it", "#d1622b"), "only": ("it alone", "#2f6f9f")}
    for shift, (kind, (label, color)) in zip((0.15, -0.15), looks.items(), strict=True):
        found = [one.ablation.of(f"{kind} {name}", "roc_auc") for name in names]
        bars = [[v.value - v.low for v in found], [v.high - v.value for v in found]]
        at = np.arange(len(names)) + shift
        points = [v.value for v in found]
        axis.errorbar(points, at, xerr=bars, fmt="o", label=label, color=color, markersize=4)
    axis.axvline(one.ablation.of(ALL, "roc_auc").value, linestyle="--", color="grey", label="all families")
    words = [f"{name.replace('_', ' ')} ({one.columns[name]})" for name in names]
    axis.set(yticks=range(len(names)), yticklabels=words, ylim=(-0.7, len(names) - 0.3))
    axis.set(title=f"{one.ablation.dataset}: ROC-AUC by family (columns)", xlabel="ROC-AUC, 95% interval")
    axis.grid(axis="x", color="#e5e7eb")
    axis.set_axisbelow(True)
    axis.legend(loc="upper center", bbox_to_anchor=(0.4, -0.13), ncols=3, frameon=False)


def _drawn(trials: Sequence[Trial], variants: Mapping[str, Scores], say: Callable[[str], None]) -> Drawn:
    judged = []
    for trial in trials:
        rows = rows_hash(trial, CATALOG.names)
        scores = {name: _scores(trial, name, answer, rows=rows) for name, answer in variants.items()}
        say(f"{trial.dataset} {trial.snapshots[0]}: {len(variants)} fits")
        judged += trial.judged(scores)
    return draw(trials[0].dataset, judged, seed=0, n_draws=N_DRAWS)


def _scores(trial: Trial, name: str, answer: Scores, *, rows: str) -> np.ndarray[Any, Any]:
    method = f"curve-{name}".replace(" ", "-").replace("%", "")
    key = cell_key(method, rows=rows, settings={"code": product_code(), "variants": VARIANTS})
    return computed(cell_path(trial, method, key), lambda: (answer(trial), {})).p


def _on_share(share: float, seed: int) -> Scores:
    return lambda trial: ours(trial, train=share_of_buyers(trial.train, share, seed=seed), seed=seed)


def _without(names: Sequence[str]) -> Scores:
    def answer(trial: Trial) -> np.ndarray[Any, Any]:
        train = of_each(trial.train, lambda part: blanked(part, names))
        return ours(replace(trial, train=train, test=blanked(trial.test, names)))

    return answer


def of_each(rows: Dataset, cut: Callable[[Dataset], Dataset]) -> Dataset:
    """Do the same with the rows and with those of shorter windows that are learned from besides."""
    newer = tuple(replace(part, rows=cut(part.rows)) for part in rows.newer)
    return replace(cut(rows), newer=newer)


def blanked(rows: Dataset, names: Sequence[str]) -> Dataset:
    """Make some columns undefined."""
    gone = pd.DataFrame(np.nan, index=rows.X.index, columns=list(names))
    X = pd.concat([rows.X.drop(columns=list(names)), gone], axis=1)[list(rows.X.columns)]
    return replace(rows, X=X)


def _varies(trials: Sequence[Trial], names: Sequence[str]) -> bool:
    return bool((trials[-1].train.X[list(names)].nunique(dropna=False) > 1).any())


def _share(share: float, seed: int) -> str:
    return f"{share:.0%} draw {seed}"


def _range(drawn: Drawn, share: float, measure: str) -> str:
    values = [drawn.of(_share(share, seed), measure).value for seed in SEEDS]
    return f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})"
