"""Shops and their listings: what they sell, how fast they ship, how late they enter tracking numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .draws import Bools, Floats, Ints, Rng, chance, even_normals, skewed, weighted
from .vocabulary import GOODS

CATEGORIES: Final = (
    "apparel", "shoes", "underwear", "snacks", "fresh_food", "beauty", "personal_care", "household",
    "kitchen", "toys", "baby", "stationery", "pets", "sports", "phone_accessories", "appliances",
    "books", "gifts", "jewellery", "furniture", "phone_credit", "game_cards",
)  # fmt: skip
RETURN_FACTOR: Final = {"apparel": 2.6, "shoes": 2.4, "underwear": 1.3, "snacks": 0.3, "fresh_food": 0.3}
"""How much more (or less) often goods of a category come back; 1 for the others."""
MADE_TO_ORDER: Final = ("gifts", "jewellery", "furniture")
VIRTUAL: Final = ("phone_credit", "game_cards")
LISTINGS: Final = 12
VIRTUAL_EVERY: Final = 16
"""One shop in sixteen sells virtual goods only."""
SLOW_Z: Final = 1.45
"""Shops above this standard score of time to ship are slow, about 7%."""


@dataclass(frozen=True)
class Shops:
    """All shops, as arrays over shops, and their listings, as arrays over ``LISTINGS`` times as many.

    Attributes
    ----------
    weight
        Popularity, in any unit.
    ship_z
        Standard score of the time from payment to the parcel's leaving; ``slow`` are its top.
    lag_hours
        Median hours from the parcel's leaving to the tracking number being entered.
    unaware
        Probability that the shop grants a refund without seeing that the parcel has left.
    sold_out
        Probability that an order turns out not to be in stock.
    review_hours
        Median hours the shop takes to answer a refund request.
    listing_z
        Standard score of a listing's price, before quantities and options.
    goods, category
        Codes of a listing's goods type and category.
    stock
        Units a listing has in stock.
    """

    weight: Floats
    ship_z: Floats
    lag_hours: Floats
    unaware: Floats
    sold_out: Floats
    review_hours: Floats
    listing_z: Floats
    goods: NDArray[np.int8]
    category: NDArray[np.int16]
    stock: Ints

    @property
    def count(self) -> int:
        """Number of shops."""
        return len(self.weight)

    @property
    def slow(self) -> Bools:
        """Shops that are known to ship late."""
        return np.asarray(self.ship_z > SLOW_Z)

    def visit(self, rng: Rng, shop: Ints) -> Ints:
        """Choose one listing in each visited shop; the first ones on display sell most."""
        return shop * LISTINGS + (LISTINGS * rng.random(len(shop)) ** 2).astype(np.int64)

    def pick(self, rng: Rng, size: int, *, among: Bools | None = None) -> Ints:
        """Choose shops by popularity, ``among`` some only if there are any."""
        weight = self.weight if among is None or not among.any() else self.weight * among
        return weighted(rng, weight, size)

    def physical(self) -> Bools:
        """Tell the shops that ship parcels."""
        return np.asarray(self.goods[::LISTINGS] != GOODS["virtual"])


def make_shops(rng: Rng, buyers: int) -> Shops:
    """Open one shop per 40 buyers, at least 160 and at most 20,000."""
    count = int(np.clip(buyers // 40, 160, 20_000))
    ship_z = even_normals(rng, count)
    lag = _tracking_lag(rng, count)
    kind, category = _assortment(rng, count)
    return Shops(
        weight=np.power(np.arange(count) + 8.0, -0.75, dtype=np.float64),
        ship_z=ship_z,
        lag_hours=lag,
        unaware=np.clip(0.15 + 0.05 * lag * rng.random(count), 0.0, 0.85),
        sold_out=0.005 + 0.05 * (ship_z > SLOW_Z) * rng.random(count),
        review_hours=skewed(even_normals(rng, count), median=3.0, left=0.8, right=0.9),
        listing_z=_listing_scores(rng, count),
        goods=kind,
        category=category,
        stock=(10 ** rng.uniform(1.0, 3.5, count * LISTINGS)).astype(np.int64),
    )


def _tracking_lag(rng: Rng, count: int) -> Floats:
    """Most shops enter the number within two hours; one in eight does so at night or the next day."""
    punctual = skewed(even_normals(rng, count), median=1.2, left=0.8, right=0.6)
    return np.where(chance(rng, 0.125, count), rng.uniform(8.0, 26.0, count), punctual)


def _listing_scores(rng: Rng, count: int) -> Floats:
    """Split a price's variance: a fifth between shops, nearly half between listings, the rest per order."""
    of_shop = np.repeat(even_normals(rng, count), LISTINGS)
    return np.asarray(np.sqrt(0.2) * of_shop + np.sqrt(0.45) * even_normals(rng, count * LISTINGS))


def _assortment(rng: Rng, count: int) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    position = np.arange(count) % VIRTUAL_EVERY
    is_virtual = position == VIRTUAL_EVERY // 2
    physical = np.arange(len(CATEGORIES) - len(VIRTUAL))
    # Every twenty shops in order of popularity cover all categories, so that none hangs on one big shop.
    rounds = -(-count // len(physical))
    covered = np.concatenate([rng.permutation(physical) for _ in range(rounds)])[:count]
    main = np.where(is_virtual, len(physical) + rng.integers(0, len(VIRTUAL), count), covered)
    category = np.repeat(main, LISTINGS)
    aside = chance(rng, 0.15, count * LISTINGS) & ~np.repeat(is_virtual, LISTINGS)
    category = np.where(aside, rng.choice(physical, count * LISTINGS), category)
    made = np.isin(category, [CATEGORIES.index(name) for name in MADE_TO_ORDER])
    custom = made & chance(rng, 0.29, count * LISTINGS)
    goods = np.where(np.repeat(is_virtual, LISTINGS), GOODS["virtual"], GOODS["physical"])
    return np.where(custom, GOODS["customized"], goods).astype(np.int8), category.astype(np.int16)
