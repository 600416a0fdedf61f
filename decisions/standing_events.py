"""Transitions as events, and the standing built again from them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .standing import Standing, Transition


def folded(standing: Standing, transition: Transition) -> Standing:
    """Apply one transition, the only way in which a standing changes."""
    raise NotImplementedError


def as_event(transition: Transition) -> dict[str, Any]:
    """Write a transition as a JSON object (plain values; instants as ISO 8601 in UTC)."""
    raise NotImplementedError


def from_event(event: dict[str, Any]) -> Transition:
    """Read what `as_event` wrote."""
    raise NotImplementedError


def rebuild(events: Iterable[dict[str, Any]]) -> Standing:
    """Build a standing from its events, ordered by version: the same record to the byte."""
    raise NotImplementedError


def as_record(standing: Standing) -> dict[str, Any]:
    """Write a standing as a JSON object; equal standings give equal objects, keys in the same order."""
    raise NotImplementedError


def from_record(record: dict[str, Any]) -> Standing:
    """Read what `as_record` wrote."""
    raise NotImplementedError
