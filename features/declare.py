"""The words in which a feature is declared: what is counted, over which windows, smoothed how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

LIFE: Final = None
"""The window without a beginning."""

Window = int | None
"""Length in days, or ``LIFE``."""

Worse = Literal["more", "less"] | None
"""Which direction raises the probability of abuse; None leaves it to the data."""

Value = Literal["amount_fen", "line_count", "pay_lag"]
"""What can be summed or have a median. ``pay_lag`` is the time from the order's payment to the event."""

Entity = Literal["party", "category", "order", "buyer"]
"""What can be counted distinctly. The party is the shop, or for links the other account; ``buyer`` is a
single entity, so that its distinct count says whether a state stands (1) or not (0)."""

Codes = tuple[str | None, ...] | None

BASKET_GAP: Final = timedelta(minutes=10)
"""Orders of a buyer that are paid this close to each other are one basket."""


@dataclass(frozen=True, kw_only=True)
class Where:
    """Which events count. A condition left out allows everything; None inside one allows null.

    Attributes
    ----------
    kinds : tuple of str
        Event kinds, those of the contract or the derived ``peer_*`` kinds of ``features.links``.
    amount_fen : (int, int), optional
        Half-open interval of the event's amount; a null amount never matches.
    pay_lag : (timedelta, timedelta), optional
        Half-open interval of the time since the order was paid; unknown never matches.
    basket : bool, optional
        The order was paid within `BASKET_GAP` of another order of the same buyer.
    partial : bool, optional
        The amount is less than was paid for the order; unknown never matches.
    """

    kinds: tuple[str, ...]
    stage: Codes = None
    fault: Codes = None
    outcome: Codes = None
    actor: Codes = None
    link_type: Codes = None
    amount_fen: tuple[int, int] | None = None
    pay_lag: tuple[timedelta, timedelta] | None = None
    basket: bool | None = None
    partial: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Distinct:
    """A distinct count's membership: the entity, and which events take an entity out again."""

    where: Where
    of: Entity
    until: tuple[str, ...] = ()


Selection = Where | Distinct


@dataclass(frozen=True, kw_only=True)
class Total:
    """A count of a selection's events, or the sum of a value over them."""

    over: Selection
    value: Value | None = None


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What every feature family says of itself."""

    name: str
    zh: str
    en: str
    reason: str
    worse: Worse = None


@dataclass(frozen=True, kw_only=True)
class Windowed(Declaration):
    """A family with one feature per window."""

    windows: tuple[Window, ...]


@dataclass(frozen=True, kw_only=True)
class Count(Windowed):
    """How many events (or distinct entities)."""

    where: Selection


@dataclass(frozen=True, kw_only=True)
class Sum(Windowed):
    """The sum of a value."""

    where: Where
    value: Value = "amount_fen"


@dataclass(frozen=True, kw_only=True)
class Ratio(Windowed):
    """``(part + weight * prior) / (whole + weight)``: shrunk towards the population's ``prior``.

    ``weight`` is in the unit of ``whole``: how much evidence the prior is worth.
    """

    part: Total
    whole: Total
    prior: float
    weight: float


@dataclass(frozen=True, kw_only=True)
class Median(Windowed):
    """The median of a value (the mean of the middle two for an even number), NaN without events.

    Amounts are in fen, ``pay_lag`` in minutes.
    """

    where: Where
    value: Value


@dataclass(frozen=True, kw_only=True)
class DaysSince(Declaration):
    """Days since the last (or first) such event became known, NaN without one."""

    where: Where
    which: Literal["last", "first"] = "last"


Family = Count | Sum | Ratio | Median | DaysSince

_SUFFIX: Final = {Count: "count", Sum: "sum", Ratio: "ratio", Median: "median"}


def features_of(family: Family) -> Iterator[tuple[str, Window]]:
    """Yield the name and the window of each feature that a family declares."""
    if isinstance(family, DaysSince):
        yield f"days_since_{family.which}_{family.name}", LIFE
        return
    kind = "distinct" if _is_distinct(family) else _SUFFIX[type(family)]
    for window in family.windows:
        yield f"{family.name}_{kind}_{window_suffix(window)}", window


def selections_of(family: Family) -> tuple[Selection, ...]:
    """Return what a family counts, sums or looks at."""
    if isinstance(family, Ratio):
        return family.part.over, family.whole.over
    return (family.where,)


def window_suffix(window: Window) -> str:
    """Return the window as feature names spell it: ``90d`` or ``life``."""
    return "life" if window is LIFE else f"{window}d"


def _is_distinct(family: Family) -> bool:
    return isinstance(family, Count) and isinstance(family.where, Distinct)
