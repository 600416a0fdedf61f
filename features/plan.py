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
ENTITY_CODE: Final[dict[Entity, int]] = {"party": 1, "category": 2, "order": 3, "buyer": 4}
VALUE_CODE: Final[dict[Value, int]] = {"amount_fen": 0, "line_count": 1, "pay_lag": 2}
VALUE_UNIT: Final[dict[Value, float]] = {"amount_fen": 1.0, "line_count": 1.0, "pay_lag": 60e6}

_ANY: Final = -1
_MOST: Final = np.iinfo(np.int64).max
_MAX_SELECTORS: Final = 63

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


SELECTOR: Final = np.dtype(
    [
        ("kind_mask", "i8"),  # bit k: events of kind k match
        ("until_mask", "i8"),  # bit k: events of kind k take the entity out
        ("code_masks", "i8", (5,)),  # allowed codes of stage, fault, outcome, actor, link type
        ("amount_low", "i8"),
        ("amount_high", "i8"),
        ("lag_low", "i8"),
        ("lag_high", "i8"),
        ("basket", "i8"),  # -1 any, else the wanted value
        ("partial", "i8"),
        ("entity", "i8"),  # 0 for a plain count
        ("latest", "i8"),  # number among the distinct selectors, -1 for a plain count
        ("sum_start", "i8"),  # its sums are [sum_start, sum_end)
        ("sum_end", "i8"),
    ]
)
MEDIAN: Final = np.dtype([("selector", "i8"), ("value", "i8"), ("bucket", "i8"), ("unit", "f8")])
FEATURE: Final = np.dtype(
    [
        ("op", "i8"),
        ("a", "i8"),  # accumulator, selector or median
        ("b", "i8"),  # second accumulator of a ratio
        ("bucket", "i8"),  # the window
        ("plus_a", "f8"),  # weight * prior of a ratio
        ("plus_b", "f8"),  # weight of a ratio
    ]
)


class Plan(NamedTuple):
    """What the kernel reads."""

    bounds: Ints  # finite windows, ascending, in microseconds
    selectors: npt.NDArray[np.void]  # SELECTOR
    kind_start: Ints  # selectors that look at a kind, as a jagged array
    kind_selector: Ints
    sum_value: Ints  # which value each sum adds up, in the order of the selectors
    medians: npt.NDArray[np.void]  # MEDIAN
    features: npt.NDArray[np.void]  # FEATURE


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
        self.sums: set[tuple[int, int]] = set()
        self.medians: dict[tuple[int, int, int], float] = {}

    def bucket(self, window: Window) -> int:
        return self._bucket[window]

    def selector(self, selection: Selection) -> int:
        return self.selectors.setdefault(selection, len(self.selectors))

    def total(self, total: Total) -> tuple[int, int]:
        """Return (selector, -1) for a count and (selector, value) for a sum."""
        selector = self.selector(total.over)
        if total.value is None:
            return selector, -1
        self.sums.add((selector, VALUE_CODE[total.value]))
        return selector, VALUE_CODE[total.value]

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
    selectors, sums = _selector_table(layout)
    looked_at = selectors["kind_mask"] | selectors["until_mask"]
    looking = [np.flatnonzero(looked_at >> k & 1) for k in range(len(ALL_KINDS))]

    def place(total: tuple[int, int]) -> int:
        return total[0] if total[1] < 0 else len(selectors) + sums.index((total[0], total[1]))

    return Plan(
        bounds=np.array(layout.bounds, np.int64),
        selectors=selectors,
        kind_start=np.cumsum([0, *(len(group) for group in looking)], dtype=np.int64),
        kind_selector=np.concatenate(looking).astype(np.int64),
        sum_value=np.array([value for _, value in sums], np.int64),
        medians=np.array([(*key, unit) for key, unit in layout.medians.items()], MEDIAN),
        features=np.array(
            [(c.op, place(c.a), place(c.b), c.bucket, c.plus_a, c.plus_b) for c in columns], FEATURE
        ),
    )


def _selector_table(layout: _Layout) -> tuple[npt.NDArray[np.void], list[tuple[int, int]]]:
    """Return the selectors as records, and the sums as (selector, value) in the order of the selectors."""
    sums = sorted(layout.sums)
    table = np.zeros(len(layout.selectors), SELECTOR)
    distinct = 0
    for s, selection in enumerate(layout.selectors):
        where, row = _where(selection), table[s]
        row["kind_mask"] = _bits(KIND_CODE[k] for k in where.kinds)
        row["until_mask"] = _bits(KIND_CODE[k] for k in _until(selection))
        row["code_masks"] = _code_masks(where)
        row["amount_low"], row["amount_high"] = where.amount_fen or (NULL, _MOST)
        row["lag_low"], row["lag_high"] = _lags(where)
        row["basket"], row["partial"] = _flag(where.basket), _flag(where.partial)
        row["entity"] = ENTITY_CODE[selection.of] if isinstance(selection, Distinct) else 0
        row["latest"] = distinct if isinstance(selection, Distinct) else -1
        distinct += isinstance(selection, Distinct)
        row["sum_start"] = sum(of < s for of, _ in sums)
        row["sum_end"] = sum(of <= s for of, _ in sums)
    return table, sums


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


def _code_masks(where: Where) -> list[int]:
    wanted = [(getattr(where, name), vocabulary) for name, vocabulary in CODED]
    return [_ANY if allowed is None else _bits(v[word] for word in allowed) for allowed, v in wanted]


def _lags(where: Where) -> tuple[int, int]:
    if where.pay_lag is None:
        return NULL, _MOST
    low, high = where.pay_lag
    return low // timedelta(microseconds=1), high // timedelta(microseconds=1)


def _flag(wanted: bool | None) -> int:
    return _ANY if wanted is None else int(wanted)


def _bits(positions: Iterable[int]) -> int:
    return sum(1 << p for p in set(positions))
