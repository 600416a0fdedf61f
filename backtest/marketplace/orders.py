"""Orders as they are meant: who, when, what, for how much, and what the buyer intends to do with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from .draws import Bools, Floats, Ints, Rng, chance, skewed
from .shops import LISTINGS, Shops

MEDIAN_YUAN: Final = 75.0
SPREAD_BELOW: Final = 0.551
SPREAD_ABOVE: Final = 0.715
"""Amounts of Tmall orders, February 2020: p10/50/90/99 = 37/75/183/423 yuan."""
ORDER_NOISE: Final = np.sqrt(1.0 - 0.65 - 0.22**2)
COUPON_FEN: Final = 30_000
COUPON_OFF_FEN: Final = 4_000
HOLDS_COUPON: Final = 0.7
"""A basket of 300 yuan and more gets 40 yuan off, shared by its orders, if its buyer holds a coupon."""

T = TypeVar("T", bound="Columns")


@dataclass(frozen=True)
class Columns:
    """Arrays of one length, row by row."""

    def __len__(self) -> int:
        return len(next(iter(vars(self).values())))

    def pick(self: T, rows: Ints | Bools | slice) -> T:
        """Keep some rows, by position, by mask or as a view of a range."""
        return type(self)(**{name: column[rows] for name, column in vars(self).items()})


def stacked(parts: list[T]) -> T:
    """Put rows of one kind together."""
    kind = type(parts[0])
    return kind(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})


@dataclass(frozen=True)
class Orders(Columns):
    """One row per order. Times are seconds from the start of the log.

    Attributes
    ----------
    buyer, listing
        Positions of the buyer in the block and of the listing.
    basket
        Orders of one basket are placed and paid in the same instant.
    placed
        When it was placed.
    fen, lines
        Paid amount and number of distinct items.
    intent, wait
        An ``Intent`` and its delay in the unit that the intent says.
    lie
        The buyer will blame the shop or the carrier without ground.
    held
        The shop is in it and never ships.
    quick
        The parcel (of nothing) leaves within the hour and is received soon.
    scripted
        It is part of the abuse.
    """

    buyer: Ints
    listing: Ints
    basket: Ints
    placed: Floats
    fen: Ints
    lines: NDArray[np.int32]
    intent: NDArray[np.int8]
    wait: Floats
    lie: Bools
    held: Bools
    quick: Bools
    scripted: Bools

    @property
    def shop(self) -> Ints:
        """Position of the shop of each order."""
        return self.listing // LISTINGS


def blank_orders(buyer: Ints, placed: Floats, listing: Ints, *, basket: Ints | None = None) -> Orders:
    """Write orders that are paid and kept, without amounts yet; each is its own basket if not told."""
    n = len(buyer)
    return Orders(
        buyer=buyer.astype(np.int64),
        listing=listing,
        basket=np.arange(n) if basket is None else basket,
        placed=placed,
        fen=np.zeros(n, np.int64),
        lines=np.ones(n, np.int32),
        intent=np.zeros(n, np.int8),
        wait=np.zeros(n),
        lie=np.zeros(n, np.bool_),
        held=np.zeros(n, np.bool_),
        quick=np.zeros(n, np.bool_),
        scripted=np.zeros(n, np.bool_),
    )


def priced(rng: Rng, shops: Shops, orders: Orders, *, taste: Floats | float = 0.0) -> Orders:
    """Give orders a number of items and an amount around their listing's price."""
    n = len(orders)
    lines = 1 + np.minimum(rng.geometric(0.72, n) - 1, 9)
    z = shops.listing_z[orders.listing] + taste + ORDER_NOISE * rng.standard_normal(n)
    yuan = skewed(z, median=MEDIAN_YUAN, left=SPREAD_BELOW, right=SPREAD_ABOVE)
    return replace(orders, fen=charm(yuan), lines=lines.astype(np.int32))


def charm(yuan: Floats) -> Ints:
    """Turn yuan into fen as shops price: ending in .90, at least 1.90 yuan."""
    return np.maximum(np.floor(yuan - 0.4).astype(np.int64), 1) * 100 + 90


def discounted(rng: Rng, orders: Orders) -> Orders:
    """Take the coupon off baskets of several orders that reach its threshold, for those who hold one."""
    size = np.bincount(orders.basket)
    total = np.bincount(orders.basket, weights=orders.fen).astype(np.int64)
    holds = (size > 1) & (total >= COUPON_FEN) & chance(rng, HOLDS_COUPON, len(size))
    off = (holds * COUPON_OFF_FEN)[orders.basket] * orders.fen // total[orders.basket]
    return replace(orders, fen=orders.fen - off)


def joined(parts: list[Orders]) -> Orders:
    """Put orders together, keeping the baskets of different parts apart."""
    offset, numbered = 0, []
    for part in parts:
        numbered.append(replace(part, basket=part.basket + offset))
        offset += int(part.basket.max(initial=-1)) + 1
    return stacked(numbered)


def gap_to_coupon(fen: Ints) -> Floats:
    """Compute how many yuan an order lacks to reach the coupon threshold, at least five."""
    return np.maximum((COUPON_FEN - fen) / 100.0, 5.0)
