"""The pictures on the page of policies that each lived in a world."""

from __future__ import annotations

from typing import Any, Final

from matplotlib.axes import Axes

from ..pictures import Draw, drawn, lines, lost, share, title


def pictures(report: dict[str, Any]) -> dict[str, str]:
    """Draw a report; each picture as text that a page can carry (base64 of a PNG)."""
    return drawn(report, DRAWS)


def _by_month(words: str, value: str, scale: float = 1.0) -> Draw:
    def draw(axes: Axes, report: dict[str, Any]) -> None:
        title(axes, words)
        lines(axes, report, value, scale)

    return draw


DRAWS: Final[dict[str, Draw]] = {
    "share": share,
    "lost": lost,
    "waited": _by_month("Hours that buyers waited for an answer, a month", "hours_waited"),
    "abuse": _by_month("Requests before shipment by abusers, a month", "abuser_before"),
    "paid_abuse": _by_month("Refunded at once to abusers, yuan a month", "abuser_auto_fen", 0.01),
}
