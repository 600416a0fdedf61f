"""How figures, their intervals and their differences are written for people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Told = dict[str, Any]
"""A figure as a report holds it: value, low, high."""


def value(number: float | None, unit: str) -> str:
    """Write a number in its unit; money comes in fen."""
    if number is None:
        return "–"
    if unit == "share":
        text = f"{100 * number:.1f}%"
    elif unit == "points":
        text = f"{100 * number:+.1f}"
    elif unit == "days":
        text = f"{number:.1f}"
    else:
        text = f"{number / 100 if unit == 'yuan' else number:,.0f}"
    return text.replace("-", "−")


def ends(figure: Told | None, unit: str) -> str:
    """Write a figure's interval; nothing where it has none."""
    if figure is None or figure["value"] is None or figure["low"] is None or figure["low"] == figure["high"]:
        return ""
    return f"{value(figure['low'], unit)} to {value(figure['high'], unit)}"


def said(figure: Told | None, unit: str) -> str:
    """Write a figure with its interval."""
    text, interval = value(None if figure is None else figure["value"], unit), ends(figure, unit)
    return f"{text} ({interval})" if interval else text


def more(figure: Told | None, unit: str) -> str:
    """Write how much more or less a figure is; shares in percentage points."""
    if figure is None or figure["value"] is None:
        return ""
    if unit == "share":
        return f"{value(figure['value'], 'points')} points"
    return f"{'+' if figure['value'] > 0 else ''}{value(figure['value'], unit)}"


def sure(figure: Told) -> int:
    """Tell the sign of a difference; 0 where its interval holds both or it has none."""
    if figure["value"] is None or figure["low"] is None:
        return 0
    return int(figure["low"] > 0) - int(figure["high"] < 0)


FILTERS: Final[dict[str, Callable[..., str]]] = {"figure": said, "value": value, "ends": ends, "more": more}
"""What templates know them by."""
