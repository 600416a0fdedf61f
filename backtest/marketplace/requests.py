"""Which orders become after-sale cases: when the buyer asks, why, for how much, and how true it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .draws import HOUR, MINUTE, Bools, Floats, Ints, Rng, chance, lognormal, weighted
from .fulfilment import Parcels
from .habits import Habits
from .orders import Columns, Orders
from .vocabulary import FAULT, FAULT_OF_REASON, REASON, REASONS, STAGE, Intent

CANCEL_REASONS: Final = {
    "changed_mind": 35.0,
    "change_order": 35.0,
    "change_address": 20.0,
    "voucher_forgotten": 2.0,
    "payment_trouble": 2.0,
    "seller_unresponsive": 2.0,
    "found_cheaper": 1.0,
}
"""Reasons of buyers who cancelled, in percent (Indonesian marketplace seller, 2023-12 to 2025-11)."""
RETURN_REASONS: Final = {"wrong_size": 40.0, "changed_mind": 25.0, "not_as_described": 25.0, "damaged": 10.0}
CLAIM_REASONS: Final = {"damaged": 45.0, "not_received": 30.0, "not_as_described": 25.0}
LIE_REASONS: Final = {"late_shipment": 50.0, "seller_unresponsive": 40.0, "payment_trouble": 10.0}
FAULT_CODES: Final = np.array([FAULT[FAULT_OF_REASON.get(word, "buyer")] for word in REASONS], np.int8)
PARTIAL: Final = {Intent.CANCEL: 0.5, Intent.RETURN: 0.5, Intent.CLAIM: 0.35}
"""Share of requests for a part of the order; of cancelled and returned orders, those with several items."""


@dataclass(frozen=True)
class Requests(Columns):
    """One row per after-sale case, at most one per order.

    Attributes
    ----------
    order
        Position of the order.
    at
        When the money is asked for.
    stage, reason, fault
        Codes of the stage, of the stated reason and of whose doing it is if that is true.
    fen, lines
        Amount and number of items asked for.
    whole
        Nothing of the order is kept.
    lie
        The stated reason is not true.
    by_shop
        The shop caused it: sold out or late.
    """

    order: Ints
    at: Floats
    stage: NDArray[np.int8]
    reason: NDArray[np.int8]
    fault: NDArray[np.int8]
    fen: Ints
    lines: NDArray[np.int32]
    whole: Bools
    lie: Bools
    by_shop: Bools


def ask(rng: Rng, orders: Orders, parcels: Parcels, habits: Habits) -> Requests:
    """Turn intents and shops' failures into requests; a cancellation that comes too late is given up."""
    shop_at = _given_up_waiting(rng, orders, parcels, habits)
    own_at = _own_time(orders, parcels)
    by_shop = shop_at < own_at
    before = np.minimum(own_at, shop_at)
    is_before = np.isfinite(before) & (before < parcels.tracked)
    meant_after = (orders.intent == Intent.RETURN) | (orders.intent == Intent.CLAIM)
    after = np.where(meant_after & np.isfinite(parcels.done), parcels.done + orders.wait, np.inf)
    at = np.where(is_before, before, after)
    rows = np.flatnonzero(np.isfinite(at))
    stage = np.where(is_before, STAGE["before_shipment"], STAGE["after_shipment"]).astype(np.int8)[rows]
    return _cases(rng, orders, parcels, rows, at=at[rows], stage=stage, by_shop=(by_shop & is_before)[rows])


def _given_up_waiting(rng: Rng, orders: Orders, parcels: Parcels, habits: Habits) -> Floats:
    """Say when buyers ask because the shop is sold out or late."""
    told = parcels.paid + lognormal(rng, 20 * HOUR, sigma=0.7, size=len(orders))
    sold_out = np.where(parcels.sold_out, told, np.inf)
    patient_until = parcels.paid + habits.patience_hours * HOUR
    late = np.where((parcels.left > patient_until) & ~orders.held, patient_until, np.inf)
    return np.minimum(sold_out, late)


def _own_time(orders: Orders, parcels: Parcels) -> Floats:
    cancel = np.where(orders.intent == Intent.CANCEL, parcels.paid + orders.wait, np.inf)
    # Where nothing ever leaves there is no gap; infinity minus infinity would be undefined.
    ships = np.isfinite(parcels.left)
    gap = np.subtract(parcels.tracked, parcels.left, out=np.zeros(len(orders)), where=ships)
    aimed = np.maximum(parcels.left + orders.wait * gap, parcels.paid + MINUTE)
    return np.where(orders.intent == Intent.RACE, aimed, cancel)


def _cases(
    rng: Rng,
    orders: Orders,
    parcels: Parcels,
    rows: Ints,
    *,
    at: Floats,
    stage: NDArray[np.int8],
    by_shop: Bools,
) -> Requests:
    of = orders.pick(rows)
    lie = of.lie & ~by_shop
    reason = _reasons(rng, of, lie)
    reason = np.where(
        by_shop, np.where(parcels.sold_out[rows], REASON["out_of_stock"], REASON["late_shipment"]), reason
    )
    whole = ~_partial(rng, of) | by_shop
    share = np.where(whole, 1.0, rng.uniform(0.2, 0.7, len(rows)))
    return Requests(
        order=rows,
        at=at,
        stage=stage,
        reason=reason.astype(np.int8),
        fault=FAULT_CODES[reason],
        fen=np.maximum((of.fen * share).astype(np.int64), 1),
        lines=np.where(whole, of.lines, np.maximum((of.lines * share).astype(np.int32), 1)).astype(np.int32),
        whole=whole,
        lie=lie,
        by_shop=by_shop,
    )


def _reasons(rng: Rng, orders: Orders, lie: Bools) -> Ints:
    n = len(orders)
    before = np.where(lie, _draw(rng, LIE_REASONS, n), _draw(rng, CANCEL_REASONS, n))
    returns = np.where(orders.intent == Intent.RETURN, _draw(rng, RETURN_REASONS, n), before)
    return np.where(orders.intent == Intent.CLAIM, _draw(rng, CLAIM_REASONS, n), returns)


def _draw(rng: Rng, weights: dict[str, float], n: int) -> Ints:
    codes = np.array([REASON[word] for word in weights])
    return codes[weighted(rng, np.array(list(weights.values())), n)]


def _partial(rng: Rng, orders: Orders) -> Bools:
    share = np.zeros(len(Intent))
    for intent, value in PARTIAL.items():
        share[intent] = value
    can: Bools = (orders.lines > 1) | (orders.intent == Intent.CLAIM)
    return can & ~orders.held & chance(rng, share[orders.intent], len(orders))
