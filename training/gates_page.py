"""One page for whoever has to answer for it: whether a model may take over, and what would change."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .evaluate import equal_mass_bins
from .figures import BAD, GOOD, GREY, INK
from .gates import Views
from .judge import Case, Judgement
from .report import TrainingReport

TEMPLATE: Final = Path(__file__).with_name("gates.html.j2")
MARKS: Final = {"pass": "✓ passed", "fail": "✗ holds", "ask": "? ask", "none": "– open"}
MEASURES: Final = {"roc_auc": "ROC-AUC", "average_precision": "average precision", "loss_share": "loss share"}


def gates_page(case: Case, judgement: Judgement, report: TrainingReport) -> str:
    """Render the page; everything it shows is inside it."""
    environment = Environment(autoescape=True, trim_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    headline, chinese = _headlines(case, judgement)
    return template.render(
        headline=headline,
        headline_zh=chinese,
        promotes=judgement.promotes,
        summary=_summary(judgement, report),
        gates=sorted(judgement.gates, key=lambda gate: not gate.holds),
        marks=MARKS,
        figure=_png(_figure(case, judgement)),
        figure_text="Differences of the two models, buyers who change tier, and reliability",
        n_rows=report.rows.test,
        snapshots=", ".join(report.rows.test_snapshots),
        complete_at=f"{case.lesson.window.complete_at:%Y-%m-%d}",
        policy=case.policy,
        quality=_quality(judgement),
        compared=judgement.champion is not None,
        findings=report.findings,
        silent="; ".join(f"{name} ({how})" for name, how in report.silent_features.items()),
        key=case.lesson.window.key,
        fingerprint=report.data_fingerprint,
        catalog=report.catalog_version,
        commit=report.git_commit or "unknown",
    )


def _headlines(case: Case, judgement: Judgement) -> tuple[str, str]:
    number = case.champion.version if case.champion else ""
    serving = f"version {number}" if number else ""
    if judgement.promotes and not serving:
        return "The first model takes charge", "首个模型上线"
    if judgement.promotes:
        return f"The retrained model replaces {serving}", f"新模型通过全部检查，接替版本 {number}"
    n = len(judgement.holding)
    kept = f"{serving} stays in charge" if serving else "no model takes charge"
    return (
        f"The retrained model is held: {n} gate{'s' if n > 1 else ''} not passed, {kept}",
        f"新模型暂不上线：{n} 项检查未通过",
    )


def _summary(judgement: Judgement, report: TrainingReport) -> list[str]:
    auc, precision, rows = report.metrics["roc_auc"], report.metrics["average_precision"], report.rows
    lines = [
        f"It finds abusers with ROC-AUC {auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f}) and average "
        f"precision {precision.value:.3f}, on {rows.test_positive:,} abusers of {rows.test:,} buyer-months."
    ]
    if swapped := judgement.swapped:
        lines.append(
            f"{swapped.kept:,} stay quality users; {swapped.gained:,} gain the tier (they asked back "
            f"{swapped.gained_fen / 100:,.0f} yuan, {swapped.gained_abusive} turned out abusive), "
            f"{swapped.lost:,} lose it ({swapped.lost_fen / 100:,.0f} yuan, {swapped.lost_abusive} abusive)."
        )
    lines += [
        f"Not passed: “{gate.title}”. Found {gate.figure}; allowed: {gate.limit}."
        for gate in judgement.holding
    ]
    return lines


def _quality(judgement: Judgement) -> str:
    """Say who is a quality user; a policy may leave that to each model."""
    new, old = judgement.challenger.cut_off, judgement.champion
    said = (
        _edge(new) if old is None or old.cut_off == new else f"{_edge(new)} (serving: {_edge(old.cut_off)})"
    )
    return f"A quality user has enough history and {said}."


def _edge(cut_off: float | None) -> str:
    return "a proven cut-off, of which there is none" if cut_off is None else f"{cut_off:.0f} points or more"


def _figure(case: Case, judgement: Judgement) -> Figure:
    figure = Figure(figsize=(11, 3.1), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _differences(left, judgement)
    _swaps(middle, judgement)
    _reliability(right, case, judgement)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _differences(axes: Axes, judgement: Judgement) -> None:
    axes.set_title("New minus serving, 95 % interval", loc="left", fontsize=10, color=INK)
    axes.axvline(0, color=GREY, linewidth=1)
    for row, (name, words) in enumerate(MEASURES.items()):
        if gap := judgement.gaps.get(name):
            better = gap.value <= 0 if name == "loss_share" else gap.value >= 0
            color = GOOD if better else BAD
            axes.plot([gap.low, gap.high], [row, row], color=color, linewidth=3, solid_capstyle="round")
            axes.plot(gap.value, row, "o", color=color)
        axes.text(0, row - 0.3, f" {words}", fontsize=8, color=INK, transform=axes.get_yaxis_transform())
    axes.set(yticks=[], ylim=(2.6, -0.7))
    if not judgement.gaps:
        _say(axes, "no champion to compare with")


def _swaps(axes: Axes, judgement: Judgement) -> None:
    axes.set_title("Who changes tier, and what they ask back", loc="left", fontsize=10, color=INK)
    swapped = judgement.swapped
    if swapped is None:
        _say(axes, "no champion to compare with")
        return
    sides = (
        ("gain", swapped.gained, swapped.gained_abusive, swapped.gained_fen),
        ("lose", swapped.lost, swapped.lost_abusive, swapped.lost_fen),
    )
    for row, (word, n, abusive, fen) in enumerate(sides):
        axes.barh(row, n - abusive, color=GOOD, height=0.45, label="honest" if row == 0 else None)
        axes.barh(
            row, abusive, left=n - abusive, color=BAD, height=0.45, label="abusive" if row == 0 else None
        )
        axes.text(0, row - 0.42, f" {n:,} {word} the tier, {fen / 100:,.0f} yuan", fontsize=8, va="bottom")
    axes.set(yticks=[], ylim=(1.5, -0.9), xlim=(0, max(1, swapped.gained, swapped.lost) * 1.15))
    axes.set_xlabel("buyer-months", fontsize=8)
    axes.legend(frameon=False, fontsize=8, loc="lower right")


def _reliability(axes: Axes, case: Case, judgement: Judgement) -> None:
    axes.set_title("Do its probabilities come true?", loc="left", fontsize=10, color=INK)
    seen: dict[str, tuple[Views, str]] = {"new": (judgement.challenger, GOOD)}
    if judgement.champion:
        seen["serving"] = (judgement.champion, GREY)
    top = 0.0
    for name, (views, color) in seen.items():
        bins = equal_mass_bins(views.p)
        size = np.bincount(bins)
        some = size > 0
        said = np.bincount(bins, weights=views.p)[some] / size[some]
        came = np.bincount(bins, weights=case.lesson.judged.y)[some] / size[some]
        axes.plot(said, came, "o-", color=color, label=name, markersize=4, linewidth=1.2)
        top = max(top, float(said.max()), float(came.max()))
    axes.plot([0, top], [0, top], color=INK, linestyle=":", linewidth=1)
    axes.set_xlabel("abuse expected", fontsize=8)
    axes.set_ylabel("abuse found", fontsize=8)
    axes.legend(frameon=False, fontsize=8)


def _say(axes: Axes, words: str) -> None:
    axes.text(0.5, 0.5, words, ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])


def _png(figure: Figure) -> str:
    held: Any = io.BytesIO()
    figure.savefig(held, format="png", dpi=130)
    return base64.b64encode(held.getvalue()).decode()
