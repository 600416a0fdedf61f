"""How a buyer shops: the numbers that say what ordinary people do, one value per buyer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np

from .draws import DAY, Floats, Ints, Rng, lognormal


@dataclass(frozen=True)
class Habits:
    """Arrays of one value per buyer; archetypes write over some of them for their own people.

    Attributes
    ----------
    trips_a_day
        Shopping trips on an ordinary day; a trip is one order or a basket paid at once.
    festive
        Share of the trips that wait for a festival.
    basket
        Probability of each further order in a trip.
    unpaid, cancel, return_, claim
        Probability that a trip is left unpaid, a paid order is cancelled, a received one is sent back, or
        money is asked for without sending it back (a real fault, for honest people).
    cancel_hours
        Median hours from payment to a cancellation.
    rebuy
        Probability that a cancelled order is soon placed again, changed.
    fight
        Probability of opening a dispute when a request is refused.
    gives_back
        Probability of handing the goods back, or refusing the parcel, if a refunded parcel had left.
    patience_hours
        Hours to wait for a late parcel before asking for the money back.
    loyal
        Share of trips to one of four favourite shops.
    slow_shops
        Share of trips to shops known to be slow (cheap, far away).
    price_z
        Shift of the standard score of the prices paid.
    lies
        Probability that a request blames the shop or the carrier without ground.
    lifetime_days
        Days from signing up until the buyer leaves.
    """

    trips_a_day: Floats
    festive: Floats
    basket: Floats
    unpaid: Floats
    cancel: Floats
    return_: Floats
    claim: Floats
    cancel_hours: Floats
    rebuy: Floats
    fight: Floats
    gives_back: Floats
    patience_hours: Floats
    loyal: Floats
    slow_shops: Floats
    price_z: Floats
    lies: Floats
    lifetime_days: Floats

    def overwrite(self, rows: Ints, values: Mapping[str, Floats | float]) -> None:
        """Give the buyers in ``rows`` other values of the named habits."""
        for name, value in values.items():
            getattr(self, name)[rows] = value


def ordinary_habits(rng: Rng, n: int) -> Habits:
    """Draw the habits of ``n`` ordinary buyers: about one order a month, heavy-tailed."""
    drawn = {
        "trips_a_day": lognormal(rng, 0.0155, sigma=1.0, size=n),
        "festive": rng.beta(1.0, 6.0, n),
        "basket": rng.beta(1.2, 5.0, n),
        "unpaid": rng.beta(2.0, 12.5, n),
        "cancel": rng.beta(0.7, 8.3, n),
        "return_": rng.beta(0.7, 13.0, n),
        "cancel_hours": lognormal(rng, 0.55, sigma=0.7, size=n),
        "patience_hours": rng.uniform(60.0, 160.0, n),
        "loyal": rng.beta(1.5, 3.0, n),
        "price_z": 0.22 * rng.standard_normal(n),
        "lifetime_days": rng.exponential(900.0, n),
    }
    fixed = {
        "claim": 0.004,
        "rebuy": 0.35,
        "fight": 0.15,
        "gives_back": 0.75,
        "slow_shops": 0.0,
        "lies": 0.01,
    }
    return Habits(**drawn, **{name: np.full(n, value) for name, value in fixed.items()})


def take(habits: Habits, rows: Ints) -> Habits:
    """Look up the habits of the buyers of some orders."""
    return Habits(**{f.name: getattr(habits, f.name)[rows] for f in fields(habits)})


def leaving(habits: Habits, joined: Floats) -> Floats:
    """Compute when buyers who ``joined`` then will leave, in seconds from the start."""
    return joined + habits.lifetime_days * DAY
