"""What is wrong with a declaration, said before anything is computed from it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from .declare import Distinct, Family, Median, Ratio, Selection, Sum, Windowed, selections_of
from .plan import ALL_KINDS, CODED

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
MAX_WINDOW_DAYS: Final = 36_500


def faults_of(family: Family) -> Iterator[str]:
    """Yield what is wrong with a family, each a clause that names what was found."""
    if not _NAME.fullmatch(family.name):
        yield f"the name {family.name!r} is not lower_snake_case"
    if not (family.zh and family.en):
        yield "a title in Chinese or English is missing"
    if family.worse not in ("more", "less", None):
        yield f"worse is {family.worse!r}, not 'more', 'less' or None"
    if isinstance(family, Windowed):
        yield from _window_faults(family)
    if isinstance(family, Ratio):
        yield from _ratio_faults(family)
    if isinstance(family, Sum | Median) and isinstance(family.where, Distinct):
        yield f"a distinct selection has no sum of {family.value}"
    for selection in selections_of(family):
        yield from _selection_faults(selection)


def _window_faults(family: Windowed) -> Iterator[str]:
    if not family.windows:
        yield "no window is given"
    for window in family.windows:
        if window is not None and not 0 < window <= MAX_WINDOW_DAYS:
            yield f"a window of {window} days is not between 1 and {MAX_WINDOW_DAYS:,}"


def _ratio_faults(family: Ratio) -> Iterator[str]:
    if not (math.isfinite(family.weight) and family.weight > 0):
        yield f"weight is {family.weight}: without a positive one the ratio of nothing is undefined"
    if not math.isfinite(family.prior):
        yield f"prior is {family.prior}"
    for total in (family.part, family.whole):
        if isinstance(total.over, Distinct) and total.value is not None:
            yield f"a distinct selection has no sum of {total.value}"


def _selection_faults(selection: Selection) -> Iterator[str]:
    where = selection.where if isinstance(selection, Distinct) else selection
    until = selection.until if isinstance(selection, Distinct) else ()
    if not where.kinds:
        yield "no kind of event is given"
    for kind in (*where.kinds, *until):
        if kind not in ALL_KINDS:
            yield f"the kind {kind!r} is none of {', '.join(ALL_KINDS)}"
    for name, vocabulary in CODED:
        for word in getattr(where, name) or ():
            if word not in vocabulary:
                known = ", ".join(str(w) for w in vocabulary)
                yield f"{name} {word!r} is none of {known}"
    intervals: tuple[tuple[Any, Any] | None, ...] = (where.amount_fen, where.pay_lag)
    for low, high in filter(None, intervals):
        if not low < high:
            yield f"the interval [{low}, {high}) is empty"
