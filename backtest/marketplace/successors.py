"""The accounts that abusers open in place of those they gave up: who, when, on which identities."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

import numpy as np

from .archetypes import ARCHETYPES
from .draws import DAY, HOUR, Bools, Ints, Rng, chance, lognormal
from .habits import take
from .links import LATE_HOURS, Links, link_value
from .people import People
from .vocabulary import LINK

BEGIN_DAYS: Final = (0.5, 3.0)
"""Days after its opening from which on a new account is used."""


def reopened(people: People, rng: Rng, parents: Ints, *, now: float) -> tuple[Ints, People]:
    """Draw which of the accounts given up ``now`` get a successor, and who that is."""
    reactions = [ARCHETYPES[code].reaction for code in people.code[parents]]
    opened = np.bincount(people.person, minlength=len(people))[people.person[parents]] - 1
    may = opened < np.array([r.accounts for r in reactions])
    wants = chance(rng, np.array([r.reopens for r in reactions]), len(parents))
    after = lognormal(rng, np.array([r.after_days for r in reactions]) * DAY, sigma=0.6, size=len(parents))
    begins = rng.uniform(*BEGIN_DAYS, len(parents)) * DAY
    joined = now + after
    starts = np.maximum(joined + begins, people.starts[parents])
    opens = may & wants & (starts < people.stops[parents])
    rows = parents[opens]
    columns = {
        f.name: getattr(people, f.name)[rows] for f in fields(People) if f.name not in ("first", "habits")
    }
    columns["group"] = columns["group"] - len(people)  # the parent's, counted from the first newcomer
    columns |= {"joined": joined[opens], "starts": starts[opens], "leaves": np.full(len(rows), np.inf)}
    return rows, People(first=len(people), habits=take(people.habits, rows), **columns)


def linked(links: Links, newcomers: People, parents: Ints, rng: Rng, *, free_block: int, now: float) -> Links:
    """Link each new account to some of its parent's identities of ``now``, at least one, and to new ones."""
    keeps = _kept(newcomers, rng)
    buyer = newcomers.first + np.arange(len(newcomers))
    parts = []
    for name, code in LINK.items():
        new = link_value(free_block, buyer, name)
        value = np.where(keeps[name], _latest(links, parents, code, now), new)
        known = newcomers.joined + rng.random(len(buyer)) ** 2 * LATE_HOURS * HOUR
        parts.append((buyer, newcomers.joined, known, np.full(len(buyer), code, np.int8), value))
    return Links(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _kept(newcomers: People, rng: Rng) -> dict[str, Bools]:
    reactions = [ARCHETYPES[code].reaction for code in newcomers.code]
    p = np.array([[r.keeps[name] for name in LINK] for r in reactions]).reshape(len(reactions), len(LINK))
    kept = rng.random(p.shape) < p
    none = ~kept.any(axis=1)
    kept[none, p[none].argmax(axis=1)] = True
    return dict(zip(LINK, kept.T, strict=True))


def _latest(links: Links, accounts: Ints, code: int, now: float) -> Ints:
    """Look up the last identity of one type that each account had; every account has one."""
    of = links.pick((links.kind == code) & (links.at <= now))
    by_account = np.lexsort((of.at, of.buyer))
    last = np.searchsorted(of.buyer[by_account], accounts, side="right") - 1
    return np.asarray(of.value[by_account][last])
