"""A declaration in words: what is counted, where, smoothed how, exactly enough to compute it by hand."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from .declare import Count, DaysSince, Distinct, Family, Median, Ratio, Selection, Sum, Total, Where

_CODES: Final = ("stage", "fault", "outcome", "actor", "link_type")
_ENTITY: Final = {"party": "shops", "category": "categories", "order": "orders", "buyer": "the buyer"}


def definition(family: Family) -> str:
    """Return a family's definition as one line of Markdown."""
    match family:
        case Count():
            return _total(Total(over=family.where))
        case Sum():
            return _total(Total(over=family.where, value=family.value))
        case Ratio():
            weight = _number(family.weight)
            prior = f"{weight} × {_number(family.prior)}"
            return f"({_total(family.part)} + {prior}) / ({_total(family.whole)} + {weight})"
        case Median():
            unit = ", in minutes" if family.value == "pay_lag" else ""
            return (
                f"median of `{family.value}` over {_selection(family.where)}{unit}; not defined without one"
            )
        case DaysSince():
            when = f"days from `recorded_at` of the {family.which} of"
            return f"{when} {_selection(family.where)} to `as_of`; not defined without one"


def _total(total: Total) -> str:
    if total.value is not None:
        return f"sum of `{total.value}` over {_selection(total.over)}"
    if not isinstance(total.over, Distinct):
        return f"number of {_selection(total.over)}"
    if total.over.of == "buyer":
        return f"1 if there is {_selection(total.over)}, else 0"
    return f"number of {_entities(total.over)} with {_selection(total.over)}"


def _entities(distinct: Distinct) -> str:
    peers = all(kind.startswith("peer_") for kind in distinct.where.kinds)
    return "other accounts" if peers and distinct.of == "party" else _ENTITY[distinct.of]


def _selection(selection: Selection) -> str:
    if isinstance(selection, Distinct):
        taken_out = " or ".join(f"`{kind}`" for kind in selection.until)
        return _where(selection.where) + (f" and no later {taken_out}" if taken_out else "")
    return _where(selection)


def _where(where: Where) -> str:
    kinds = " or ".join(f"`{kind}`" for kind in where.kinds)
    said = [f"{name} {_words(allowed)}" for name in _CODES if (allowed := getattr(where, name)) is not None]
    if where.amount_fen is not None:
        said.append(f"{where.amount_fen[0]:,} ≤ amount_fen < {where.amount_fen[1]:,}")
    if where.pay_lag is not None:
        said.append(f"{_span(where.pay_lag[0])} ≤ pay_lag < {_span(where.pay_lag[1])}")
    if where.basket is not None:
        said.append(f"its order {'' if where.basket else 'not '}of a basket")
    if where.partial is not None:
        said.append("amount_fen less than paid" if where.partial else "amount_fen at least what was paid")
    return f"{kinds} ({'; '.join(said)})" if said else kinds


def _words(allowed: tuple[str | None, ...]) -> str:
    return " or ".join("null" if word is None else word for word in allowed)


def _span(length: timedelta) -> str:
    hours, rest = divmod(length, timedelta(hours=1))
    if rest or not hours:
        minutes, rest = divmod(length, timedelta(minutes=1))
        return f"{length // timedelta(microseconds=1):,} µs" if rest else f"{minutes:,} min"
    return f"{hours:,} h" if hours % 24 else f"{hours // 24:,} d"


def _number(value: float) -> str:
    return f"{value:,}".removesuffix(".0")
