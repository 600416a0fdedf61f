"""The picture on the page of a retraining: how the two models differ, who changes tier, what comes true."""

from __future__ import annotations

import base64
import io
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .evaluate import reliability_bins
from .figures import BAD, GOOD, GREY, INK, draw_bins, ends_of
from .judge import Case, Judgement

MEASURES: Final = {
    "roc_auc": "ROC-AUC\n(right is better)",
    "average_precision": "average precision\n(right is better)",
    "loss_share": "loss share\n(left is better)",
}
N_BINS: Final = 5


def gates_figure(case: Case, judgement: Judgement) -> Figure:
    """Draw the differences and the swaps, where there is a champion, and whether probabilities come true."""
    panels = [_differences, _swaps, _reliability] if judgement.champion else [_reliability]
    figure = Figure(figsize=(4 * len(panels), 3.3), layout="constrained")
    for axes, draw in zip(figure.subplots(1, len(panels), squeeze=False).ravel(), panels, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=8)
        draw(axes, case, judgement)
    return figure


def _differences(axes: Axes, case: Case, judgement: Judgement) -> None:
    axes.set_title("New minus serving, 95% interval", loc="left", fontsize=10, color=INK)
    axes.axvline(0, color=GREY, linewidth=1)
    for row, name in enumerate(MEASURES):
        gap = judgement.gaps[name]
        better = gap.value <= 0 if name == "loss_share" else gap.value >= 0
        color = GOOD if better else BAD
        axes.plot([gap.low, gap.high], [row, row], color=color, linewidth=3, solid_capstyle="round")
        axes.plot(gap.value, row, "o", color=color)
    axes.set_yticks(range(len(MEASURES)), list(MEASURES.values()))
    axes.set_ylim(len(MEASURES) - 0.5, -0.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def _swaps(axes: Axes, case: Case, judgement: Judgement) -> None:
    axes.set_title("Who changes tier", loc="left", fontsize=10, color=INK)
    swapped = judgement.swapped
    if swapped is None:
        return
    honest = [swapped.gained - swapped.gained_abusive, swapped.lost - swapped.lost_abusive]
    abusive = [swapped.gained_abusive, swapped.lost_abusive]
    axes.barh([0, 1], honest, color=GOOD, height=0.45, label="honest")
    axes.barh([0, 1], abusive, left=honest, color=BAD, height=0.45, label="abusive")
    for row, fen in enumerate((swapped.gained_fen, swapped.lost_fen)):
        axes.text(0, row - 0.27, f"asked back {fen / 100:,.0f} yuan", fontsize=8, va="bottom", color=INK)
    axes.set_yticks([0, 1], [f"{swapped.gained:,} gain", f"{swapped.lost:,} lose"])
    axes.set(ylim=(1.6, -0.9), xlim=(0, max(1, swapped.gained, swapped.lost) * 1.05))
    axes.set_xlabel("buyer-months", fontsize=8)
    axes.legend(frameon=False, fontsize=8, loc="upper right", ncols=2)


def _reliability(axes: Axes, case: Case, judgement: Judgement) -> None:
    axes.set_title("Does predicted abuse come true?", loc="left", fontsize=10, color=INK)
    y = case.lesson.judged.y
    new = reliability_bins(y, judgement.challenger.p, n_bins=N_BINS)
    old = reliability_bins(y, judgement.champion.p, n_bins=N_BINS) if judgement.champion else ()
    ends = ends_of([*new, *old])
    if old:
        came = [max(b.observed.value, ends[0]) for b in old]
        axes.plot(
            [b.predicted for b in old], came, "s", color=GREY, markersize=5, clip_on=False, label="serving"
        )
    draw_bins(axes, new, ends=ends)
    axes.set_xlabel("predicted (log)", fontsize=8)
    axes.set_ylabel("came true (log)", fontsize=8)
    axes.legend(frameon=False, fontsize=7, loc="upper left")


def as_text(figure: Figure) -> str:
    """Give the picture as text that a page can carry (base64 of a PNG)."""
    held: Any = io.BytesIO()
    figure.savefig(held, format="png", dpi=130)
    return base64.b64encode(held.getvalue()).decode()
