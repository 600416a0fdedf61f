"""On which line of a TOML text a setting stands: tomllib does not tell."""

from __future__ import annotations

import re
import tomllib
from typing import Any, Final

MOST_LINES: Final = 2_000
"""A policy has a tenth of them; whoever sends more is told the last line, not the first bad one."""
_PLACE: Final = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


def line_of(text: str, path: tuple[str, ...]) -> int | None:
    """Find the line, from 1, on which a setting or table of a valid text is begun; None if it is not there.

    The first lines up to it are a text without the setting; with it, and as many lines as its value takes,
    they are one that has it.
    """
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if path[-1] not in line or _has(lines[:i], path) is not False:
            continue
        if next(
            (has for j in range(i + 1, len(lines) + 1) if (has := _has(lines[:j], path)) is not None), False
        ):
            return i + 1
    return None


def syntax_error(text: str, error: Exception) -> tuple[int, str]:
    """Give the line, from 1, of what `tomllib.loads` refuses, and what it says of it.

    Where it names none, that is the line on which begins what makes the rest no text: one that is never
    ended, or holds a number of thousands of digits.
    """
    said = str(error)
    if isinstance(error, RecursionError):
        said = "nested too deeply"
    elif not isinstance(error, tomllib.TOMLDecodeError):
        said = "a number has too many digits"
    place = _PLACE.search(said)
    named = place and place.group(1)
    return int(named) if named else _first_bad(text.splitlines()), _PLACE.sub("", said)


def _first_bad(lines: list[str]) -> int:
    if len(lines) > MOST_LINES:
        return len(lines)
    whole = max(n for n in range(len(lines) + 1) if n == 0 or _is_toml(lines[:n]))
    return min(whole + 1, max(len(lines), 1))


def _is_toml(lines: list[str]) -> bool:
    try:
        tomllib.loads("\n".join(lines))
    except (ValueError, RecursionError):
        return False
    return True


def _has(lines: list[str], path: tuple[str, ...]) -> bool | None:
    """Tell whether lines hold a setting; None when they are no text by themselves."""
    try:
        found: Any = tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError:
        return None
    for name in path:
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True
