"""A text for people, in Chinese and English."""

from __future__ import annotations

from .value import value


@value()
class Message:
    """A text for people, in Chinese and English."""

    zh: str
    en: str
