"""Values: frozen for the type checker, which sees every assignment, and plain when the program runs.

A dataclass that freezes itself takes ten times as long to make, and a decision makes a dozen values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]:
    """Make a class a value: a dataclass with slots that can be compared and hashed; nobody assigns to it."""
    return dataclass(slots=True, unsafe_hash=True, kw_only=kw_only)
