"""What an archetype is: who shares what with whom, when abuse begins, and how its people act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from ..draws import DAY, HOUR, Bools, Floats, Ints, Rng, chance, lognormal
from ..orders import Orders, blank_orders, charm, priced
from ..vocabulary import Intent
from ..world import World

HabitChanges: TypeAlias = Mapping[str, Floats | float]


@dataclass(frozen=True)
class Cast:
    """The people of one archetype in one block, as arrays over them.

    Attributes
    ----------
    buyer
        Position in the block.
    group
        Number of the group (household, farm, service) each belongs to, from 0.
    starts, stops
        When the abuse begins and ends, seconds from the start of the log.
    """

    world: World
    buyer: Ints
    group: Ints
    starts: Floats
    stops: Floats

    def __len__(self) -> int:
        return len(self.buyer)

    def per_group(self, rng: Rng) -> Floats:
        """Draw one uniform number per group and hand it to its members."""
        return np.asarray(rng.random(int(self.group.max(initial=0)) + 1)[self.group])


def no_changes(n: int, rng: Rng) -> HabitChanges:
    """Keep the ordinary habits."""
    return {}


@dataclass(frozen=True)
class Reaction:
    """How the abusers of an archetype take to what they are answered; only the closed loop asks.

    Attributes
    ----------
    patience
        Refunds before shipment in a row that were not at once, after which they halve their pace; after
        twice as many they give the account up, as they do when its eligibility is taken away.
    reopens, accounts
        Probability of opening another account in place of one given up, and how many a person opens.
    after_days
        Median days until then.
    keeps
        By link type, the probability that the new account has the old one's; at least one is kept.
    """

    patience: int = 3
    reopens: float = 0.5
    accounts: int = 2
    after_days: float = 6.0
    keeps: Mapping[str, float] = field(default_factory=lambda: {"device": 0.6, "address": 0.7, "payer": 0.4})


@dataclass(frozen=True)
class Archetype:
    """One kind of people.

    Attributes
    ----------
    name
        As it stands in the truth table.
    is_abuser
        Whether the platform's rules forbid what they do.
    share
        Share of the abusers, or of the honest buyers.
    habits
        What they do differently from ordinary buyers all along.
    script
        The orders that they place on purpose while their abuse lasts.
    dormant_days, active_days
        Ranges of the days from signing up to the first abuse, and of its duration.
    joins_together
        Accounts of one group are opened within days of each other.
    group_size
        Range of the accounts per group.
    shared
        By link type, the probability that a member uses the group's own instead of a private one.
    relinked
        Link types that change to the group's when the abuse begins.
    detected, detect_days, confirmed_for
        Probability that investigators ever confirm the abuse, median days from the incident to that, and
        the reason they write.
    cleared
        Probability that a confirmation is lifted later because the true owner came back.
    reaction
        How they take to the platform's answers.
    """

    name: str
    is_abuser: bool
    share: float
    habits: Callable[[int, Rng], HabitChanges] = no_changes
    script: Callable[[Cast, Rng], Orders] | None = None
    dormant_days: tuple[float, float] = (10.0, 120.0)
    active_days: tuple[float, float] = (90.0, 300.0)
    joins_together: bool = False
    group_size: tuple[int, int] = (1, 1)
    shared: Mapping[str, float] = field(default_factory=dict)
    relinked: tuple[str, ...] = ()
    detected: float = 0.0
    detect_days: float = 25.0
    confirmed_for: str = "abnormal_refunds"
    cleared: float = 0.0
    reaction: Reaction = Reaction()


def acts(cast: Cast, rng: Rng, *, per_month: float) -> tuple[Ints, Floats]:
    """Draw when each member acts: member numbers and instants, at a personal pace around ``per_month``."""
    pace = per_month / 30.0 * rng.gamma(2.5, 1 / 2.5, len(cast))
    stops = np.minimum(cast.stops, cast.world.end)
    starts = np.minimum(cast.starts, stops)
    who = np.repeat(np.arange(len(cast)), rng.poisson(pace * cast.world.season.mass(starts, stops)))
    return who, cast.world.season.times(rng, starts[who], stops[who])


def ordered(cast: Cast, rng: Rng, who: Ints, placed: Floats, *, among: Bools | None = None) -> Orders:
    """Place one priced order per act in a popular shop, ``among`` some shops only."""
    shops = cast.world.shops
    listing = shops.visit(rng, shops.pick(rng, len(who), among=among))
    return priced(rng, shops, blank_orders(cast.buyer[who], placed, listing))


def intending(rng: Rng, orders: Orders, mix: Mapping[Intent, float], *, cancel_hours: float = 1.2) -> Orders:
    """Draw an intent for each order from ``mix`` and a delay that suits it; every claim is a lie."""
    kinds = np.array([int(kind) for kind in mix], np.int8)
    intent = rng.choice(kinds, len(orders), p=np.array(list(mix.values())))
    aimed = replace(orders, intent=intent, lie=intent == Intent.CLAIM)
    return waiting(rng, aimed, cancel_hours=cancel_hours)


def waiting(rng: Rng, orders: Orders, *, cancel_hours: float = 1.2) -> Orders:
    """Draw the delay of each order's intent."""
    n, wait = len(orders), np.zeros(len(orders))
    draws = {
        Intent.CANCEL: lognormal(rng, cancel_hours * HOUR, sigma=1.1, size=n),
        Intent.RACE: rng.uniform(-0.25, 1.1, n),
        Intent.RETURN: lognormal(rng, 2.5 * DAY, sigma=0.6, size=n),
        Intent.CLAIM: lognormal(rng, 1.5 * DAY, sigma=0.8, size=n),
    }
    for intent, drawn in draws.items():
        wait = np.where(orders.intent == intent, drawn, wait)
    return replace(orders, wait=wait)


def repriced(rng: Rng, orders: Orders, low: float, high: float, *, share: float = 1.0) -> Orders:
    """Choose goods so that a ``share`` of the orders costs between ``low`` and ``high`` yuan."""
    aimed = charm(rng.uniform(low, high, len(orders)))
    return replace(orders, fen=np.where(chance(rng, share, len(orders)), aimed, orders.fen))


def lying(rng: Rng, orders: Orders, share: float) -> Orders:
    """Let a ``share`` of the requests blame the shop or the carrier without ground."""
    asks = orders.intent != Intent.KEEP
    return replace(orders, lie=orders.lie | (asks & chance(rng, share, len(orders))))
