"""The pictures of an evaluation: one message each, readable in a browser and in print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter
from numpy.typing import NDArray

from models.buyer_score import BuyerScore

from .dataset import Dataset
from .evaluate import Floats, Interval, Ranked, ReliabilityBin, reliability_bins
from .halves import judged_by
from .report import Comparison
from .slices import Slice

INK: Final = "#1f2a37"
GREY: Final = "#9aa3af"
GOOD: Final = "#2f6f9f"
BAD: Final = "#d1622b"
N_RELIABILITY_BINS: Final = 10
N_EXPLAINED: Final = 250


def figures(
    score: BuyerScore, rows: Dataset, *, metrics: Mapping[str, Interval], outcome: str, seed: int = 0
) -> dict[str, Figure]:
    """Draw all pictures of rows that the model has not seen, by file name."""
    seen = judged_by(score, rows)
    return {
        "roc_and_precision_recall.png": roc_and_precision_recall(
            rows.y, seen.ranked, metrics=metrics, outcome=outcome
        ),
        "reliability.png": reliability(rows.y, seen.p, metrics=metrics, outcome=outcome),
        "gains.png": gains(rows.y, seen.ranked, outcome=outcome),
        "score_distribution.png": score_distribution(rows.y, seen.points, outcome=outcome),
        "importance_by_reason.png": importance_by_reason(score, rows, outcome=outcome, seed=seed),
    }


def roc_and_precision_recall(
    y: NDArray[Any], p: Floats, *, metrics: Mapping[str, Interval], outcome: str
) -> Figure:
    """Draw both curves of the ranking, the ROC with a logarithmic axis where decisions are made."""
    figure, (left, right) = _panels(2)
    tpr, fpr, precision = Ranked.of(y, p).rates(np.ones(len(y)))
    smallest = 0.5 / max(1.0, float((1 - y).sum()))
    left.step(np.clip(fpr, smallest, None), tpr, where="post", color=GOOD, linewidth=2, label="this model")
    chance = np.geomspace(smallest, 1, 100)
    left.plot(chance, chance, color=GREY, linestyle="--", label="chance")
    left.set(xscale="log", xlim=(smallest, 1), ylim=(0, 1.02))
    _name(
        left,
        "ROC curve",
        x=f"share of others flagged (log), {_counted(y, outcome)}",
        y=f"share of {outcome} found",
    )
    left.set_title(_with_interval("ROC-AUC", metrics["roc_auc"]), loc="right", fontsize=9, color=INK)
    _of_powers(left.xaxis)
    right.step(tpr, precision, where="post", color=BAD, linewidth=2, label="this model")
    right.axhline(float(np.mean(y)), color=GREY, linestyle="--", label=f"base rate {np.mean(y):.2%}")
    right.set(xlim=(0, 1), ylim=(0, 1.02))
    _name(
        right,
        "Precision and recall",
        x=f"recall: share of {outcome} found",
        y=f"precision: {outcome} among the flagged",
    )
    right.set_title(
        _with_interval("average precision", metrics["average_precision"]), loc="right", fontsize=9, color=INK
    )
    right.xaxis.set_major_formatter(PercentFormatter(1.0))
    for panel in (left, right):
        panel.yaxis.set_major_formatter(PercentFormatter(1.0))
        panel.legend(frameon=False, loc="best")
    return figure


def reliability(y: NDArray[Any], p: Floats, *, metrics: Mapping[str, Interval], outcome: str) -> Figure:
    """Draw observed against predicted rates, in bins that expect equally many positives."""
    figure, (panel,) = _panels(1)
    bins = reliability_bins(y, p, n_bins=N_RELIABILITY_BINS)
    draw_bins(panel, bins, ends=ends_of(bins))
    _name(
        panel,
        f"Does predicted {outcome} come true?",
        x="predicted probability (log)",
        y="share that came true (log)",
    )
    panel.set_title(
        _with_interval("calibration error", metrics["calibration_error"]), loc="right", fontsize=9, color=INK
    )
    panel.legend(frameon=False, loc="upper left", fontsize=9, title=_counted(y, outcome), title_fontsize=9)
    return figure


def reliability_by_slice(slices: Sequence[Slice]) -> Figure:
    """Draw each slice's observed against predicted rates on the same axes, with what can be said."""
    figure, panels = _panels(len(slices), columns=3, width=4.2, height=3.8)
    ends = ends_of([b for part in slices for b in part.bins])
    for panel, part in zip(panels, slices, strict=True):
        draw_bins(panel, part.bins, ends=ends)
        _name(panel, part.words, x="predicted probability (log)", y="share that came true (log)")
        told = (
            f"{part.events:,} of {part.n:,} buyers: {part.observed.value:.2%}\npredicted {part.predicted:.2%}"
        )
        panel.annotate(f"{told}: {part.verdict}", (0.03, 0.86), xycoords="axes fraction", fontsize=9)
    handles = {
        label: line
        for panel in panels
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


def ends_of(bins: Sequence[ReliabilityBin]) -> tuple[float, float]:
    """Give the range of both axes that shows every bin and the upper end of every interval."""
    least = min(b.predicted for b in bins)
    return least * 0.2, min(1.0, 1.25 * max(max(b.predicted, b.observed.high) for b in bins))


def draw_bins(panel: Axes, bins: Sequence[ReliabilityBin], *, ends: tuple[float, float]) -> None:
    """Draw what came true over what was predicted, with intervals, on logarithmic axes of one range."""
    predicted = np.array([b.predicted for b in bins])
    low, high = (np.array([getattr(b.observed, end) for b in bins]) for end in ("low", "high"))
    observed = np.array([b.observed.value for b in bins])
    none = observed <= ends[0]
    panel.plot(ends, ends, color=GREY, linestyle="--", label="as predicted")
    panel.vlines(
        predicted, np.maximum(low, ends[0]), high, color=GOOD, linewidth=1.6, label="95% interval (Jeffreys)"
    )
    panel.plot(predicted[~none], observed[~none], "o", color=GOOD, markersize=6, label="came true")
    if none.any():
        at = np.full(none.sum(), ends[0])
        panel.plot(predicted[none], at, "v", color=GOOD, markersize=7, clip_on=False, label="none, or below")
    panel.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    for axis in (panel.xaxis, panel.yaxis):
        _of_powers(axis, subs=(1.0, 2.0, 5.0) if ends[1] < 100 * ends[0] else (1.0,))


def _of_powers(axis: Axis, *, subs: Sequence[float] = (1.0,)) -> None:
    """Label a logarithmic axis of shares; its minor ticks would take most of the time to draw."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_percent))


def gains(y: NDArray[Any], p: Floats, *, outcome: str) -> Figure:
    """Draw how many positives the riskiest buyers hold."""
    figure, (panel,) = _panels(1)
    hits = y[np.argsort(-p, kind="stable")]
    share, found = np.arange(1, len(y) + 1) / len(y), np.cumsum(hits) / hits.sum()
    panel.plot(share, found, color=BAD, linewidth=2, label="this model")
    panel.plot(share, share, color=GREY, linestyle="--", label="chance")
    panel.plot(share, np.minimum(share / np.mean(y), 1), color=GREY, linestyle=":", label="perfect ranking")
    for mark in (0.01, 0.05, 0.1):
        at = float(np.interp(mark, share, found))
        panel.plot([mark], [at], "o", color=BAD)
        panel.annotate(
            f"riskiest {mark:.0%}: {at:.0%}", (mark, at), (8, -12), textcoords="offset points", fontsize=9
        )
    panel.set(xscale="log", xlim=(max(1 / len(y), 1e-4), 1), ylim=(0, 1.02))
    _of_powers(panel.xaxis)
    panel.yaxis.set_major_formatter(PercentFormatter(1.0))
    _name(
        panel,
        f"How much {outcome} the riskiest hold",
        x=f"share of buyers, riskiest first (log); {_counted(y, outcome)}",
        y=f"share of {outcome} found",
    )
    panel.legend(frameon=False, loc="upper left")
    return figure


def score_distribution(y: NDArray[Any], points: Floats, *, outcome: str) -> Figure:
    """Draw the points of both classes, each as a share of its class."""
    figure, (panel,) = _panels(1)
    edges = list(range(300, 901, 15))
    for kind, colour, label in ((0, GOOD, f"no {outcome}"), (1, BAD, outcome)):
        of_kind = points[y == kind]
        panel.hist(
            of_kind,
            bins=edges,
            weights=np.full(len(of_kind), 1 / len(of_kind)),
            color=colour,
            alpha=0.55,
            label=f"{label} ({len(of_kind):,} rows)",
        )
    panel.set_xlim(300, 900)
    panel.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    _name(
        panel, f"Points, with and without {outcome}", x="points (higher is better)", y="share of each group"
    )
    panel.legend(frameon=False, loc="upper left")
    return figure


def importance_by_reason(score: BuyerScore, rows: Dataset, *, outcome: str, seed: int = 0) -> Figure:
    """Draw how far each reason moves the raw score, for positives and for the others."""
    rng = np.random.default_rng(seed)
    groups = score.reason_groups
    means = []
    for kind in (0, 1):
        found = np.flatnonzero(rows.y == kind)
        drawn = np.sort(rng.choice(found, min(len(found), N_EXPLAINED), replace=False))
        means.append(np.abs(groups.grouped(score.contributions(rows.X.iloc[drawn]))[:, :-1]).mean(axis=0))
    order = np.argsort(means[0] + means[1])
    order = order[(means[0] + means[1])[order] > 0]
    names = [groups.texts.get(groups.unique[i], {"en": groups.unique[i]})["en"] for i in order]
    figure, (panel,) = _panels(1, height=max(4.0, 0.42 * len(names) + 1.4))
    at = np.arange(len(names))
    panel.barh(at + 0.2, means[1][order], height=0.38, color=BAD, label=outcome)
    panel.barh(at - 0.2, means[0][order], height=0.38, color=GOOD, label=f"no {outcome}")
    panel.set_yticks(at, [_shortened(name) for name in names])
    panel.grid(axis="y", visible=False)
    panel.set_ylim(-0.6, len(names) - 0.4)
    _name(panel, "What moves the score", x="mean contribution, up or down (log-odds)", y="")
    panel.legend(frameon=False, loc="lower right")
    return figure


def methods_by_snapshot(lines: Sequence[Comparison], *, ours: str) -> Figure:
    """Draw each method's two measures with intervals, snapshot by snapshot and on average."""
    figure, panels = _panels(2)
    snapshots = list(dict.fromkeys(line.snapshot for line in lines))
    methods = list(dict.fromkeys(line.method for line in lines))
    for panel, name, title in zip(
        panels, ("roc_auc", "average_precision"), ("ROC-AUC", "Average precision"), strict=True
    ):
        for i, method in enumerate(methods):
            found = [getattr(line, name) for line in lines if line.method == method]
            at = np.arange(len(found)) + 0.14 * (i - (len(methods) - 1) / 2)
            colour = BAD if method == ours else (GOOD, GREY, INK)[(i - 1) % 3]
            panel.vlines(at, [v.low for v in found], [v.high for v in found], color=colour, linewidth=1.6)
            panel.plot(at, [v.value for v in found], "o", color=colour, markersize=5, label=method)
        panel.set_xticks(np.arange(len(snapshots)), snapshots)
        panel.grid(axis="x", visible=False)
        _name(panel, title, x="snapshot", y=f"{title}, 95% interval")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(methods), frameon=False)
    return figure


def _panels(
    n: int, *, width: float = 5.6, height: float = 4.6, columns: int | None = None
) -> tuple[Figure, Sequence[Axes]]:
    wide = min(n, columns or n)
    deep = -(-n // wide)
    size = (width * wide + 1.4 * (n == 1), height * deep)
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    every = figure.subplots(deep, wide, squeeze=False).ravel()
    panels = list(every[:n])
    for empty in every[n:]:
        empty.set_axis_off()
    for panel in panels:
        panel.grid(color="#e5e7eb", linewidth=0.8)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(colors=INK, labelsize=9)
    return figure, panels


def _name(panel: Axes, title: str, *, x: str, y: str) -> None:
    panel.set_title(title, loc="left", fontsize=12, fontweight="bold", color=INK)
    panel.set_xlabel(x, color=INK)
    panel.set_ylabel(y, color=INK)


def _with_interval(name: str, interval: Interval) -> str:
    return f"{name} {interval.value:.3f}  [{interval.low:.3f}, {interval.high:.3f}]"


def _counted(y: NDArray[Any], outcome: str) -> str:
    """Say what was looked at: a chart travels without its run."""
    return f"{outcome} in {int(y.sum()):,} of {len(y):,} rows"


def _percent(value: float, _: object) -> str:
    return f"{100 * value:.6g}%"


def _shortened(text: str, *, limit: int = 52) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
