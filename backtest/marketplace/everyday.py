"""What everybody does all the time: shopping trips, baskets, second thoughts, and orders placed again."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .draws import DAY, HOUR, MINUTE, Bools, Floats, Ints, Rng, chance, lognormal
from .habits import Habits, take
from .orders import Orders, blank_orders, joined, priced
from .people import People
from .shops import CATEGORIES, RETURN_FACTOR, Shops
from .vocabulary import Intent
from .world import World

FAVOURITES: Final = 4
RETURNS: Final = np.array([RETURN_FACTOR.get(name, 1.0) for name in CATEGORIES])
DEARER_IS_REFUNDED_MORE: Final = 0.11
"""Tmall: 22.7% of orders below 50 yuan are refunded, 27.5% of those above 300; per unit of log price."""


def shop_around(people: People, world: World, rng: Rng) -> Orders:
    """Place the everyday orders of a block, with what their buyers mean to do with them."""
    buyer, placed = _trips(people, world, rng)
    extra = np.minimum(rng.geometric(1.0 - people.habits.basket[buyer]) - 1, 5)
    basket = np.repeat(np.arange(len(buyer)), 1 + extra)
    buyer, placed = buyer[basket], placed[basket]
    habits = take(people.habits, buyer)
    listing = world.shops.visit(rng, _shops(people, world.shops, rng, buyer, habits))
    orders = blank_orders(buyer, placed, listing, basket=basket)
    orders = priced(rng, world.shops, orders, taste=habits.price_z)
    orders = _intents(world.shops, rng, orders, habits)
    return joined([orders, _again(rng, orders, habits)])


def _trips(people: People, world: World, rng: Rng) -> tuple[Ints, Floats]:
    until = np.minimum(people.leaves, world.end)
    mass = world.season.mass(people.joined, until)
    buyer = np.repeat(np.arange(len(people)), rng.poisson(people.habits.trips_a_day * mass))
    festive = people.habits.festive[buyer]
    placed = world.season.times(rng, people.joined[buyer], until[buyer], festive=festive)
    first = people.joined + lognormal(rng, 0.5 * HOUR, sigma=2.0, size=len(people))
    return np.concatenate([np.arange(len(people)), buyer]), np.concatenate([first, placed])


def _shops(people: People, shops: Shops, rng: Rng, buyer: Ints, habits: Habits) -> Ints:
    n = len(buyer)
    favourites = shops.pick(rng, len(people) * FAVOURITES).reshape(-1, FAVOURITES)
    known = favourites[buyer, rng.integers(0, FAVOURITES, n)]
    shop = np.where(chance(rng, habits.loyal, n), known, shops.pick(rng, n))
    return np.where(chance(rng, habits.slow_shops, n), shops.pick(rng, n, among=shops.slow), shop)


def _intents(shops: Shops, rng: Rng, orders: Orders, habits: Habits) -> Orders:
    n = len(orders)
    unpaid = rng.random(n)[orders.basket] < habits.unpaid
    dear = 1.0 + DEARER_IS_REFUNDED_MORE * np.log(np.maximum(orders.fen, 1) / 7_500.0)
    cancels = chance(rng, habits.cancel * dear, n)
    returns = chance(rng, habits.return_ * dear * RETURNS[shops.category[orders.listing]], n)
    claims = chance(rng, habits.claim, n)
    order = [unpaid, cancels, returns, claims]
    meant = [Intent.ABANDON, Intent.CANCEL, Intent.RETURN, Intent.CLAIM]
    intent = np.select(order, meant, default=Intent.KEEP).astype(np.int8)
    return replace(
        orders,
        intent=intent,
        wait=_waits(rng, intent == Intent.CANCEL, habits),
        lie=_lies(rng, intent, habits),
    )


def _waits(rng: Rng, cancels: Bools, habits: Habits) -> Floats:
    n = len(cancels)
    soon = lognormal(rng, habits.cancel_hours * HOUR, sigma=1.4, size=n)
    return np.where(cancels, soon, lognormal(rng, 2.5 * DAY, sigma=0.6, size=n))


def _lies(rng: Rng, intent: NDArray[np.int8], habits: Habits) -> Bools:
    return np.asarray((intent >= Intent.CANCEL) & chance(rng, habits.lies, len(intent)))


def _again(rng: Rng, orders: Orders, habits: Habits) -> Orders:
    """Place some of the cancelled orders again within the hour, slightly changed, and keep them."""
    again = (orders.intent == Intent.CANCEL) & chance(rng, habits.rebuy, len(orders))
    second = orders.pick(again)
    n = len(second)
    return replace(
        second,
        basket=np.arange(n),
        placed=second.placed + second.wait + lognormal(rng, 6 * MINUTE, sigma=1.2, size=n),
        fen=np.maximum(second.fen * rng.choice([1.0, 1.0, 0.9, 1.2], n), 100).astype(np.int64),
        intent=np.full(n, Intent.KEEP, np.int8),
        wait=np.zeros(n),
        lie=np.zeros(n, np.bool_),
    )
