"""The pictures on the page of a backtest: served against lost, over time, abusers caught."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

INK: Final = "#1f2a37"
GREY: Final = "#9aa5b1"
COLORS: Final = ("#2f6f9f", "#d1622b", "#4a8f5c", "#8a5fa8", "#b59a2c", "#5c6b7a", "#a83c5c", "#3ca8a0")
MOST_TICKS: Final = 6
HEIGHT: Final = 3.4
BAR: Final = 0.09
"""Inches: of a picture, and at least of a bar in it."""
PLANE: Final = {
    "worst_loss_rate": (
        "Good buyers served against money lost",
        "lost per automatically refunded yuan, worst case",
        "share of {who}\nbefore shipment refunded at once",
    ),
    "again_of_auto": (
        "Who does not cancel again served, against who does",
        "share of the refunds at once whose buyer cancels again",
        "share of the requests whose buyer does not\ncancel again refunded at once",
    ),
}
"""The front's title and axes, by what it costs."""
Draw = Callable[[Axes, dict[str, Any]], None]


def pictures(report: dict[str, Any]) -> dict[str, str]:
    """Draw a report; each picture as text that a page can carry (base64 of a PNG)."""
    draws: dict[str, Draw] = {"share": share}
    draws |= {"lost": lost} if report["history"]["knows_shipping"] else {}
    draws |= {"waited": _waited} if report["history"]["knows_waiting"] else {}
    return drawn(report, draws)


def drawn(report: dict[str, Any], draws: dict[str, Draw]) -> dict[str, str]:
    """Draw what every page has, if there is anything to see in it, and what is one page's own."""
    found = {name: _picture(report, draw) for name, draw in draws.items()}
    if sum(point["loss"]["value"] is not None for point in report["front"]) > 1:
        found["front"] = _picture(report, front, 6.2)
    if report["has_truth"]:
        bars = len(_kinds(report)) * len(report["policies"])
        height = max(HEIGHT, 0.8 + BAR * bars)
        found |= {name: _picture(report, draw, height=height) for name, draw in OF_TRUTH.items()}
    return found


def _picture(report: dict[str, Any], draw: Draw, width: float = 4.6, height: float = HEIGHT) -> str:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, labelsize=8)
    draw(axes, report)
    return _as_text(figure)


def title(axes: Axes, text: str) -> None:
    """Write what a picture shows above it."""
    axes.set_title(text, loc="left", fontsize=10, color=INK)


def front(axes: Axes, report: dict[str, Any]) -> None:
    """Draw whom policies serve against what they lose."""
    words, along, up = PLANE[report["cost_is"]]
    title(axes, f"{words} (left and up is better)")
    on = sorted((p["loss"]["value"], p["served"]["value"]) for p in report["front"] if p["on_front"])
    axes.plot([x for x, _ in on], [y for _, y in on], color=GREY, linewidth=1, zorder=0)
    for n, (point, color) in enumerate(zip(report["front"], COLORS * len(report["front"]), strict=False), 1):
        if point["loss"]["value"] is None:
            continue
        x, y = point["loss"]["value"], point["served"]["value"]
        for axis, figure in (("x", point["loss"]), ("y", point["served"])):
            if figure["low"] is not None:
                ends = [figure["low"], figure["high"]]
                axes.plot(*((ends, [y, y]) if axis == "x" else ([x, x], ends)), color=color, alpha=0.45)
        axes.plot(x, y, "o", color=color, markersize=11)
        axes.annotate(str(n), (x, y), color="white", fontsize=7, weight="bold", ha="center", va="center")
    who = "honest buyers' requests" if report["has_truth"] else "requests"
    axes.set_xlabel(along, fontsize=8)
    axes.set_ylabel(up.format(who=who), fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def lines(axes: Axes, report: dict[str, Any], value: str, scale: float = 1.0) -> None:
    """Join whole months; one that the history covers in part is a hollow point beside the line."""
    for policy, color in zip(report["policies"], COLORS * len(report["policies"]), strict=False):
        rows = list(enumerate(policy["over_time"]))
        for whole, style in ((True, "o-"), (False, "o")):
            found = [(x, row[value]) for x, row in rows if row["whole"] is whole]
            points = [(x, y * scale) for x, y in found if y is not None]
            axes.plot(
                [x for x, _ in points],
                [y for _, y in points],
                style,
                color=color,
                markersize=3 if whole else 4.5,
                markerfacecolor=color if whole else "white",
            )
    months = [row["month"] for row in report["policies"][0]["over_time"]]
    step = -(-len(months) // MOST_TICKS) or 1
    axes.set_xticks(range(0, len(months), step), months[::step], rotation=30)
    axes.set_xlim(-0.3, max(len(months) - 0.7, 0.3))
    axes.margins(y=0.08)
    axes.set_ylim(bottom=0)


def share(axes: Axes, report: dict[str, Any]) -> None:
    """Draw what is refunded automatically by month."""
    title(axes, "Refunded at once, share of requests before shipment")
    lines(axes, report, "auto_share")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def lost(axes: Axes, report: dict[str, Any]) -> None:
    """Draw what is lost by month."""
    title(axes, "Known loss, yuan a month")
    lines(axes, report, "loss_fen", 0.01)


def _waited(axes: Axes, report: dict[str, Any]) -> None:
    title(axes, "Hours of waiting saved, a month")
    lines(axes, report, "hours_saved")


def _kinds(report: dict[str, Any]) -> list[str]:
    return [row["archetype"] for row in report["policies"][0]["by_archetype"] if row["abuses"]]


def _bars(axes: Axes, report: dict[str, Any], value: str, scale: float, *, pale: bool = False) -> None:
    """Draw a bar a kind and policy; a share of the kind's buyers where the scale is 0."""
    kinds = _kinds(report)
    width = 0.8 / len(report["policies"])
    for n, (policy, color) in enumerate(zip(report["policies"], COLORS * 99, strict=False)):
        found = {row["archetype"]: row for row in policy["by_archetype"]}
        part = [found[kind][value] / (found[kind]["buyers"] or 1 if scale == 0 else 1) for kind in kinds]
        places = [row + n * width for row in range(len(kinds))]
        axes.barh(places, [p * (scale or 1) for p in part], width, color=color, alpha=0.35 if pale else 1.0)
    middle = 0.4 - width / 2
    axes.set_yticks([row + middle for row in range(len(kinds))], [kind.replace("_", " ") for kind in kinds])
    axes.set_ylim(len(kinds) - 0.4, -0.6)


def caught(axes: Axes, report: dict[str, Any]) -> None:
    """Draw which share of each kind of abuser was caught."""
    title(axes, "Abusers restricted or revoked\n(pale: only by the log's confirmations)")
    _bars(axes, report, "caught", 0, pale=True)
    _bars(axes, report, "caught_by_rules", 0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1)


def paid(axes: Axes, report: dict[str, Any]) -> None:
    """Draw what each kind of abuser was paid."""
    title(axes, "Refunded automatically to abusers, yuan")
    _bars(axes, report, "auto_fen", 0.01)


OF_TRUTH: Final[dict[str, Draw]] = {"caught": caught, "paid": paid}
"""What is drawn where it is known who abuses."""


def _as_text(figure: Figure) -> str:
    held: Any = io.BytesIO()
    figure.savefig(held, format="png", dpi=130)
    return base64.b64encode(held.getvalue()).decode()
