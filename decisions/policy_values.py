"""One setting's value: read from TOML with its limits kept, and written back."""

from __future__ import annotations

import json
from typing import Any, Final

from .policy_settings import Declared, Value

_LONGEST_TEXT: Final = 128
_TYPES: Final = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "a table"),
)


class SettingError(ValueError):
    """A value that a setting does not take; says what was found and what it takes."""


def read_value(setting: Declared, found: Any) -> Value:
    """Check a value of a file and give it the policy's type.

    Raises
    ------
    SettingError
    """
    if setting.setting.none_word is not None and found == setting.setting.none_word:
        return None
    if setting.kind == "list of texts":
        return _texts(setting, found)
    if setting.kind == "text":
        return _text(setting, found)
    if setting.kind == "true or false":
        if isinstance(found, bool):
            return found
        raise SettingError(f"is {_said(found)}, must be true or false")
    return _number(setting, found)


def _number(setting: Declared, found: Any) -> int | float:
    whole = setting.kind == "whole number"
    word = f" or {json.dumps(setting.setting.none_word)}" if setting.setting.none_word else ""
    if isinstance(found, bool) or not isinstance(found, int if whole else (int, float)):
        raise SettingError(f"is {_said(found)}, must be a {setting.kind}{word}")
    low, high = setting.setting.low, setting.setting.high
    if not ((low is None or found >= low) and (high is None or found <= high)):
        raise SettingError(f"is {found}, must be {limits_said(setting)}{word}")
    return found if whole else float(found)


def limits_said(setting: Declared) -> str:
    """Say what numbers a setting takes."""
    low, high = setting.setting.low, setting.setting.high
    return f"{_figure(low)} to {_figure(high)}"


def _figure(limit: float | None) -> str:
    return "any" if limit is None else f"{limit:,g}" if limit != int(limit) else f"{int(limit):,}"


def _text(setting: Declared, found: Any) -> str:
    words = setting.setting.words
    if not isinstance(found, str):
        raise SettingError(f"is {_said(found)}, must be a text")
    if words and found not in words:
        raise SettingError(f"is {json.dumps(found[:40], ensure_ascii=False)}, must be {' or '.join(words)}")
    return found


def _texts(setting: Declared, found: Any) -> frozenset[str] | tuple[str, ...]:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise SettingError(f"is {_said(found)}, must be a list of texts")
    for text in found:
        if not 1 <= len(text) <= _LONGEST_TEXT or not text.isprintable():
            raise SettingError(f"has a text of {len(text)} characters or with signs that cannot be printed")
    words = setting.setting.words
    if other := next((text for text in found if words and text not in words), None):
        raise SettingError(
            f"names {json.dumps(other[:40], ensure_ascii=False)}, must be of {', '.join(words)}"
        )
    if len(set(found)) < len(found):
        twice = next(text for text in found if found.count(text) > 1)
        raise SettingError(f"names {json.dumps(twice, ensure_ascii=False)} twice")
    return frozenset(found) if setting.is_set else tuple(found)


def _said(found: Any) -> str:
    if isinstance(found, list):
        return "a list of other things than texts" if found else "an empty list"
    return next((said for kind, said in _TYPES if isinstance(found, kind)), "a time")


def written(setting: Declared, value: Value) -> str | None:
    """Write a value as TOML; None where it is off, that is, where the line is left out."""
    if value is None:
        word = setting.setting.none_word
        return None if word is None else json.dumps(word)
    if isinstance(value, (tuple, frozenset)):
        texts = sorted(value) if setting.is_set else value
        if not texts and setting.is_set:
            return None
        return f"[{', '.join(json.dumps(text, ensure_ascii=False) for text in texts)}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
