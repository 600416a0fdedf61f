"""The tables of the page on the marketplace: who is out there, and real beside simulated."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

from backtest.marketplace.archetypes import ABUSERS, HONEST, Archetype

from .facts import FACTS, Fact

_PEOPLE_HEADS: Final = (
    "| archetype | what they do | share | confirmed by investigators | another account after a revocation |\n"
    "|---|---|---:|---|---|"
)
_FACT_HEADS: Final = (
    "| figure | real | simulated | difference | at most | measured on |\n|---|---:|---:|---:|---:|---|"
)


def put(page: str, figures: Mapping[str, float]) -> str:
    """Put both tables between the page's marks.

    Raises
    ------
    ValueError
        The page lacks the marks.
    """
    return _between(_between(page, "people", people()), "likeness", likeness(figures))


def people() -> str:
    """Write a line for each archetype; its module says what it does."""
    return "\n".join([_PEOPLE_HEADS, *map(_person, HONEST + ABUSERS)])


def likeness(figures: Mapping[str, float]) -> str:
    """Write a line for each fact."""
    return "\n".join([_FACT_HEADS, *(_line(fact, figures[fact.figure]) for fact in FACTS)])


def _between(page: str, part: str, table: str) -> str:
    before, begin, rest = page.partition(f"<!-- {part} -->")
    _, end, after = rest.partition(f"<!-- end of {part} -->")
    if not (begin and end):
        raise ValueError(f"the page lacks the marks <!-- {part} --> and <!-- end of {part} -->")
    return f"{before}{begin}\n{table}\n{end}{after}"


def _person(archetype: Archetype) -> str:
    does = (import_module(f"backtest.marketplace.archetypes.{archetype.name}").__doc__ or "").split(": ", 1)
    what = " ".join(does[-1].split()).rstrip(".")
    share = f"{archetype.share:.0%} of the {'abusers' if archetype.is_abuser else 'honest'}"
    found = (
        f"{archetype.detected:.0%}, {archetype.detect_days:g} days later"
        if archetype.is_abuser
        else "by mistake"
    )
    reaction = archetype.reaction
    again = f"{reaction.reopens:.0%}, up to {reaction.accounts}" if reaction.accounts else "never"
    return f"| `{archetype.name}` | {what} | {share} | {found} | {again if archetype.is_abuser else ''} |"


def _line(fact: Fact, simulated: float) -> str:
    difference = f"{round(100 * (simulated / fact.real - 1)):+d} %"
    limit = f"{100 * fact.within:.0f} %" if fact.within is not None else f"not aimed at: {fact.why}"
    return f"| {fact.figure} | {fact.real:g} | {simulated:.3g} | {difference} | {limit} | {fact.source} |"
