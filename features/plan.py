"""A catalog as arrays: which events a selector matches, and how a column is read off the accumulators.

Conditions become bit masks and intervals, so the compiled kernel reads declarations as data: a new
feature needs no new machine code.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from .declare import (
    Count,
    DaysSince,
    Distinct,
    Entity,
    Median,
    Ratio,
    Selection,
    Sum,
    Total,
    Value,
    Where,
    Window,
)
from .events import ACTORS, DISPUTE_OUTCOMES, FAULTS, KINDS, LINK_TYPES, STAGES

if TYPE_CHECKING:
    from .compile import Feature

DAY_US: Final = 86_400_000_000
NULL: Final = np.iinfo(np.int64).min
"""A null amount, count or lag."""

PEER_KINDS: Final = ("peer_linked", "peer_abuse_confirmed", "peer_abuse_cleared")
ALL_KINDS: Final = (*KINDS, *PEER_KINDS)
KIND_CODE: Final[dict[str | None, int]] = {kind: code for code, kind in enumerate(ALL_KINDS)}

OP_TOTAL, OP_RATIO, OP_SINCE_LAST, OP_SINCE_FIRST, OP_MEDIAN = range(5)
ENTITY_CODE: Final[dict[Entity, int]] = {"party": 1, "category": 2, "buyer": 3}
VALUE_CODE: Final[dict[Value, int]] = {"amount_fen": 0, "line_count": 1, "pay_lag": 2}
VALUE_UNIT: Final[dict[Value, float]] = {"amount_fen": 1.0, "line_count": 1.0, "pay_lag": 60e6}

_ANY: Final = -1
_MAX_SELECTORS: Final = 63

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class Plan(NamedTuple):
    """What the kernel reads. ``S`` selectors, ``V`` sums, ``M`` medians, ``F`` features."""

    bounds: Ints  # finite windows, ascending, in microseconds
    kind_mask: Ints  # (S,) bit k: events of kind k match
    until_mask: Ints  # (S,) bit k: events of kind k take the entity out
    code_masks: Ints  # (S, 5) allowed codes of stage, fault, outcome, actor, link type
    intervals: Ints  # (S, 4) amount and pay lag, each [low, high)
    flags: Ints  # (S, 2) basket, partial: -1 any, else the wanted value
    entity: Ints  # (S,) 0 for a plain count
    kind_start: Ints  # selectors that look at a kind, as a jagged array
    kind_selector: Ints
    sum_start: Ints  # sums over a selector, as a jagged array
    sum_index: Ints
    sum_value: Ints  # (V,)
    median_selector: Ints  # (M,)
    median_value: Ints
    median_bucket: Ints
    median_unit: Floats
    op: Ints  # (F,)
    a: Ints  # accumulator, selector or median of the feature
    b: Ints  # second accumulator of a ratio
    bucket: Ints  # window of the feature
    plus_a: Floats  # weight * prior of a ratio
    plus_b: Floats  # weight of a ratio


def codes(vocabulary: Sequence[str]) -> dict[str | None, int]:
    """Number a closed list from 1; 0 is null."""
    return {None: 0, **{word: i + 1 for i, word in enumerate(vocabulary)}}


CODED: Final = (
    ("stage", codes(STAGES)),
    ("fault", codes(FAULTS)),
    ("outcome", codes(DISPUTE_OUTCOMES)),
    ("actor", codes(ACTORS)),
    ("link_type", codes(LINK_TYPES)),
)


class _Layout:
    """Numbers distinct selections, sums and medians as the features ask for them."""

    def __init__(self, windows: Iterable[Window]) -> None:
        finite = sorted({w for w in windows if w is not None})
        self.bounds = [w * DAY_US for w in finite]
        self._bucket: dict[Window, int] = {**{w: i for i, w in enumerate(finite)}, None: len(finite)}
        self.selectors: dict[Selection, int] = {}
        self.sums: dict[tuple[int, int], int] = {}
        self.medians: dict[tuple[int, int, int], float] = {}

    def bucket(self, window: Window) -> int:
        return self._bucket[window]

    def selector(self, selection: Selection) -> int:
        return self.selectors.setdefault(selection, len(self.selectors))

    def total(self, total: Total) -> tuple[int, int]:
        """Return (selector, -1) for a count and (selector, sum) for a sum."""
        selector = self.selector(total.over)
        if total.value is None:
            return selector, -1
        if isinstance(total.over, Distinct):
            raise ValueError(f"a distinct selection has no sum of {total.value}")
        key = (selector, VALUE_CODE[total.value])
        return selector, self.sums.setdefault(key, len(self.sums))

    def median(self, family: Median, window: Window) -> int:
        key = (self.selector(family.where), VALUE_CODE[family.value], self.bucket(window))
        self.medians.setdefault(key, VALUE_UNIT[family.value])
        return list(self.medians).index(key)


class _Column(NamedTuple):
    op: int
    a: tuple[int, int]
    b: tuple[int, int]
    bucket: int
    plus_a: float = 0.0
    plus_b: float = 0.0


def build_plan(features: Sequence[Feature]) -> Plan:
    """Number the distinct selections, sums, medians and windows, and lay the features over them.

    Raises
    ------
    ValueError
        With more distinct selections than an event's bit mask holds.
    """
    layout = _Layout(f.window for f in features)
    columns = [_column(f, layout) for f in features]
    if len(layout.selectors) > _MAX_SELECTORS:
        raise ValueError(f"{len(layout.selectors)} distinct selections, at most {_MAX_SELECTORS} fit")
    wheres = [_where(s) for s in layout.selectors]
    kind_masks = [_bits(KIND_CODE[k] for k in w.kinds) for w in wheres]
    until_masks = [_bits(KIND_CODE[k] for k in _until(s)) for s in layout.selectors]
    looking = [
        [s for s, (m, u) in enumerate(zip(kind_masks, until_masks, strict=True)) if (m | u) >> k & 1]
        for k in range(len(ALL_KINDS))
    ]
    summing = [[v for v, (s, _) in enumerate(layout.sums) if s == i] for i in range(len(wheres))]
    n = len(wheres)

    def place(total: tuple[int, int]) -> int:
        return total[0] if total[1] < 0 else n + total[1]

    return Plan(
        bounds=_ints(layout.bounds),
        kind_mask=_ints(kind_masks),
        until_mask=_ints(until_masks),
        code_masks=_ints([_code_masks(w) for w in wheres]).reshape(n, len(CODED)),
        intervals=_ints([_intervals(w) for w in wheres]).reshape(n, 4),
        flags=_ints([[_flag(w.basket), _flag(w.partial)] for w in wheres]).reshape(n, 2),
        entity=_ints([_entity(s) for s in layout.selectors]),
        kind_start=_starts(looking),
        kind_selector=_ints([s for group in looking for s in group]),
        sum_start=_starts(summing),
        sum_index=_ints([v for group in summing for v in group]),
        sum_value=_ints([value for _, value in layout.sums]),
        median_selector=_ints([s for s, _, _ in layout.medians]),
        median_value=_ints([v for _, v, _ in layout.medians]),
        median_bucket=_ints([b for _, _, b in layout.medians]),
        median_unit=np.array(list(layout.medians.values()), np.float64),
        op=_ints([c.op for c in columns]),
        a=_ints([place(c.a) for c in columns]),
        b=_ints([place(c.b) for c in columns]),
        bucket=_ints([c.bucket for c in columns]),
        plus_a=np.array([c.plus_a for c in columns], np.float64),
        plus_b=np.array([c.plus_b for c in columns], np.float64),
    )


def _column(feature: Feature, layout: _Layout) -> _Column:
    family, bucket, none = feature.family, layout.bucket(feature.window), (0, -1)
    match family:
        case Count():
            return _Column(OP_TOTAL, layout.total(Total(over=family.where)), none, bucket)
        case Sum():
            total = layout.total(Total(over=family.where, value=family.value))
            return _Column(OP_TOTAL, total, none, bucket)
        case Ratio():
            part, whole = layout.total(family.part), layout.total(family.whole)
            plus = (family.weight * family.prior, family.weight)
            return _Column(OP_RATIO, part, whole, bucket, *plus)
        case Median():
            return _Column(OP_MEDIAN, (layout.median(family, feature.window), -1), none, bucket)
        case DaysSince():
            op = OP_SINCE_LAST if family.which == "last" else OP_SINCE_FIRST
            return _Column(op, (layout.selector(family.where), -1), none, bucket)


def _where(selection: Selection) -> Where:
    return selection.where if isinstance(selection, Distinct) else selection


def _until(selection: Selection) -> tuple[str, ...]:
    return selection.until if isinstance(selection, Distinct) else ()


def _entity(selection: Selection) -> int:
    return ENTITY_CODE[selection.of] if isinstance(selection, Distinct) else 0


def _code_masks(where: Where) -> list[int]:
    wanted = [(getattr(where, name), vocabulary) for name, vocabulary in CODED]
    return [_ANY if allowed is None else _bits(v[word] for word in allowed) for allowed, v in wanted]


def _intervals(where: Where) -> list[int]:
    low, high = where.amount_fen or (NULL, np.iinfo(np.int64).max)
    if where.pay_lag is None:
        return [low, high, NULL, np.iinfo(np.int64).max]
    return [low, high, *(lag // timedelta(microseconds=1) for lag in where.pay_lag)]


def _flag(wanted: bool | None) -> int:
    return _ANY if wanted is None else int(wanted)


def _bits(positions: Iterable[int]) -> int:
    return sum(1 << p for p in set(positions))


def _starts(groups: Sequence[Sequence[int]]) -> Ints:
    return np.cumsum([0, *(len(g) for g in groups)], dtype=np.int64)


def _ints(values: Sequence[int] | Sequence[Sequence[int]]) -> Ints:
    return np.array(values, np.int64)
