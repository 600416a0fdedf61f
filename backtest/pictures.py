"""The pictures on the page of a backtest: served against lost, over time, abusers caught."""

from __future__ import annotations

import base64
import io
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

INK: Final = "#1f2a37"
GREY: Final = "#9aa5b1"
COLORS: Final = ("#2f6f9f", "#d1622b", "#4a8f5c", "#8a5fa8", "#b59a2c", "#5c6b7a", "#a83c5c", "#3ca8a0")
MOST_MONTHS: Final = 12


def pictures(report: dict[str, Any]) -> dict[str, str]:
    """Draw a report; each picture as text that a page can carry (base64 of a PNG)."""
    drawn = {"front": _panels(report, _front), "time": _panels(report, _share, _lost, _waited)}
    if report["has_truth"]:
        drawn["caught"] = _panels(report, _caught, _paid)
    return {name: _as_text(figure) for name, figure in drawn.items()}


def _panels(report: dict[str, Any], *draws: Any) -> Figure:
    figure = Figure(figsize=(6.2 if len(draws) == 1 else 4.6 * len(draws), 3.4), layout="constrained")
    for axes, draw in zip(figure.subplots(1, len(draws), squeeze=False).ravel(), draws, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=8)
        draw(axes, report)
    return figure


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10, color=INK)


def _front(axes: Axes, report: dict[str, Any]) -> None:
    _title(axes, "Good buyers served against money lost (left and up is better)")
    on = sorted(
        (p["loss"]["value"] or 0.0, p["served"]["value"] or 0.0) for p in report["front"] if p["on_front"]
    )
    axes.plot([x for x, _ in on], [y for _, y in on], color=GREY, linewidth=1, zorder=0)
    for point, color in zip(report["front"], COLORS * len(report["front"]), strict=False):
        x, y = point["loss"]["value"] or 0.0, point["served"]["value"] or 0.0
        for axis, figure in (("x", point["loss"]), ("y", point["served"])):
            if figure["low"] is not None:
                ends = [figure["low"], figure["high"]]
                axes.plot(*((ends, [y, y]) if axis == "x" else ([x, x], ends)), color=color, alpha=0.45)
        axes.plot(x, y, "o", color=color, markersize=7, label=point["version"])
    axes.set_xlabel("lost per automatically refunded yuan, worst case", fontsize=8)
    axes.set_ylabel(_served_words(report), fontsize=8)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, fontsize=8)


def _served_words(report: dict[str, Any]) -> str:
    who = "honest buyers' requests" if report["has_truth"] else "requests"
    return f"share of {who}\nbefore shipment refunded at once"


def _lines(axes: Axes, report: dict[str, Any], value: str, scale: float = 1.0) -> None:
    for policy, color in zip(report["policies"], COLORS * len(report["policies"]), strict=False):
        rows = policy["over_time"]
        axes.plot(
            [row["month"] for row in rows],
            [row[value] * scale for row in rows],
            color=color,
            marker="o",
            markersize=3,
            label=policy["version"],
        )
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(axis="x", rotation=30)
    axes.set_ylim(bottom=0)


def _share(axes: Axes, report: dict[str, Any]) -> None:
    _title(axes, "Refunded automatically, share of all requests")
    _lines(axes, report, "auto_share")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.legend(frameon=False, fontsize=7)


def _lost(axes: Axes, report: dict[str, Any]) -> None:
    _title(axes, "Known loss, yuan a month")
    _lines(axes, report, "loss_fen", 0.01)


def _waited(axes: Axes, report: dict[str, Any]) -> None:
    _title(axes, "Hours of waiting saved, a month")
    _lines(axes, report, "hours_saved")


def _bars(axes: Axes, report: dict[str, Any], value: str, scale: float) -> None:
    kinds = [row["archetype"] for row in report["policies"][0]["by_archetype"] if row["abuses"]]
    width = 0.8 / len(report["policies"])
    for n, (policy, color) in enumerate(zip(report["policies"], COLORS * 99, strict=False)):
        found = {row["archetype"]: row for row in policy["by_archetype"]}
        part = [found[kind][value] / (found[kind]["buyers"] or 1 if scale == 0 else 1) for kind in kinds]
        places = [row + n * width for row in range(len(kinds))]
        axes.barh(places, [p * (scale or 1) for p in part], width, color=color, label=policy["version"])
    middle = 0.4 - width / 2
    axes.set_yticks([row + middle for row in range(len(kinds))], [kind.replace("_", " ") for kind in kinds])
    axes.invert_yaxis()


def _caught(axes: Axes, report: dict[str, Any]) -> None:
    _title(axes, "Abusers restricted or revoked")
    _bars(axes, report, "caught", 0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlim(0, 1)
    axes.legend(frameon=False, fontsize=7)


def _paid(axes: Axes, report: dict[str, Any]) -> None:
    _title(axes, "Refunded automatically to abusers, yuan")
    _bars(axes, report, "auto_fen", 0.01)


def _as_text(figure: Figure) -> str:
    held: Any = io.BytesIO()
    figure.savefig(held, format="png", dpi=130)
    return base64.b64encode(held.getvalue()).decode()
