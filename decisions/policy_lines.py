"""On which line of a TOML text a setting stands: tomllib does not tell."""

from __future__ import annotations

import tomllib
from typing import Any


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
