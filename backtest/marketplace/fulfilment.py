"""What shops do with paid orders: pack, hand over, enter the tracking number late, deliver, or fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .draws import HOUR, MINUTE, Bools, Floats, Rng, chance, lognormal, skewed
from .orders import Columns, Orders
from .vocabulary import GOODS, Intent
from .world import World

PAY_MEDIAN_S: Final = 8.0
PAY_SPREAD: Final = 1.534
"""Tmall: the median order is paid 8 s after it is placed, nine in ten within 51 s."""
SHIP_MEDIAN_H: Final = 10.4
SHIP_BELOW: Final = 1.209
SHIP_ABOVE: Final = 0.46
"""Paid to shipping arranged: p10/50/90 = 2.4/11.3/25.8 h; backlogs and slow shops add to the median."""
TRIP_MEDIAN_H: Final = 85.0
TRIP_BELOW: Final = 0.866
TRIP_ABOVE: Final = 0.395
"""Shipping arranged to completed: p10/50/90 = 28/85/141 h."""
SHOP_PART: Final = 0.45
"""Share of the variance of the time to ship that lies between shops."""


@dataclass(frozen=True)
class Parcels(Columns):
    """What happens to each order if nobody stops it. Seconds from the start; infinite means never.

    Attributes
    ----------
    paid
        When it is paid.
    left, tracked, done
        When the parcel leaves, its number is entered, and it is received.
    sold_out
        The shop has taken an order that it can't serve.
    """

    paid: Floats
    left: Floats
    tracked: Floats
    done: Floats
    sold_out: Bools


def fulfil(world: World, rng: Rng, orders: Orders) -> Parcels:
    """Lay out the planned course of each order."""
    n, goods = len(orders), world.shops.goods[orders.listing]
    virtual = goods == GOODS["virtual"]
    paid = np.where(orders.intent == Intent.ABANDON, np.inf, orders.placed + _pay_delay(rng, orders))
    sold_out = ~virtual & ~orders.quick & chance(rng, world.shops.sold_out[orders.shop], n)
    never = sold_out | orders.held
    left = np.where(never, np.inf, paid + _hours_to_ship(world, rng, orders) * HOUR)
    tracked = left + np.where(virtual, 1.0, _lag(world, rng, orders))
    done = np.maximum(left + _hours_on_the_way(rng, orders, virtual) * HOUR, tracked + MINUTE)
    return Parcels(paid=paid, left=left, tracked=tracked, done=done, sold_out=sold_out)


def _pay_delay(rng: Rng, orders: Orders) -> Floats:
    baskets = int(orders.basket.max(initial=-1)) + 1
    z = rng.standard_normal(baskets)[orders.basket]
    return 1.0 + skewed(z, median=PAY_MEDIAN_S - 1.0, left=0.6, right=PAY_SPREAD)


def _hours_to_ship(world: World, rng: Rng, orders: Orders) -> Floats:
    n, shops = len(orders), world.shops
    goods = shops.goods[orders.listing]
    z = np.sqrt(SHOP_PART) * shops.ship_z[orders.shop] + np.sqrt(1 - SHOP_PART) * rng.standard_normal(n)
    hours = skewed(z, median=SHIP_MEDIAN_H, left=SHIP_BELOW, right=SHIP_ABOVE)
    hours = hours * world.season.backlog(orders.placed) * np.where(shops.slow[orders.shop], 1.6, 1.0)
    hours = np.where(goods == GOODS["customized"], 2.5 * hours, hours)
    hours = np.where(orders.quick, rng.uniform(0.2, 1.0, n), hours)
    return np.where(goods == GOODS["virtual"], lognormal(rng, 0.02, sigma=1.0, size=n), hours)


def _lag(world: World, rng: Rng, orders: Orders) -> Floats:
    usual = lognormal(rng, world.shops.lag_hours[orders.shop] * HOUR, sigma=0.5, size=len(orders))
    return np.where(orders.quick, 5 * MINUTE, usual)


def _hours_on_the_way(rng: Rng, orders: Orders, virtual: Bools) -> Floats:
    n = len(orders)
    hours = skewed(rng.standard_normal(n), median=TRIP_MEDIAN_H, left=TRIP_BELOW, right=TRIP_ABOVE)
    hours = np.where(orders.quick, 0.4 * hours, hours)
    return np.where(virtual, lognormal(rng, 0.5, sigma=1.0, size=n), hours)
