"""A text for people, in Chinese and English."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A text for people, in Chinese and English."""

    zh: str
    en: str
