"""The one exception for input that cannot be used as it is."""

from __future__ import annotations


class BadInput(Exception):  # noqa: N818 - it names what was found, not a fault of ours
    """Input that a person must change: says what was found, where, and what to do, in one line."""
