"""The policy that wrote the history: who answered each request, when and how.

Before shipment, the platform refunded at once and unseen (actor ``auto``) what was physical, below
100 yuan and asked for within two hours of payment, whoever asked. Everything else went to the shop, which
answered by hand within hours. A shop refuses when it knows that the parcel has left, sometimes when the
goods are made to order, seldom otherwise; a shop that does not see that the parcel has left grants. What a
shop left open for 48 hours the platform granted. After shipment shops decide everything: returns when the
goods are back, claims by their impression. The buyer may withdraw while the shop has not answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .draws import DAY, HOUR, Bools, Floats, Rng, chance, lognormal
from .fulfilment import Parcels
from .orders import Columns, Orders
from .requests import Requests
from .vocabulary import ACTOR, FAULT, GOODS, REASON, STAGE, Intent
from .world import World

AUTO_BELOW_FEN: Final = 10_000
AUTO_WITHIN_S: Final = 2 * HOUR
AUTO_ANSWERS_S: Final = 3.0
SHOP_MUST_ANSWER_S: Final = 48 * HOUR
REFUSES_UNSHIPPED: Final = 0.02
REFUSES_MADE_TO_ORDER: Final = 0.4
GRANTS_RETURN: Final = 0.97
GRANTS_TRUE_CLAIM: Final = 0.8
GRANTS_FALSE_CLAIM: Final = 0.45
SEES_THROUGH: Final = 0.55
"""Share of lies about whose doing it was that the reviewer notices."""
WITHDRAWS: Final = 0.04
WITHDRAWS_FROM_SHOP_FAULT: Final = 0.12


@dataclass(frozen=True)
class Answers(Columns):
    """What came of each request.

    Attributes
    ----------
    at
        When it was granted, refused or withdrawn, seconds from the start.
    granted, withdrawn
        The outcome; neither means refused.
    gone
        The parcel had left when the money was granted or refused.
    actor, fault, reason
        Codes of who answered, whose doing they found it to be, and why.
    """

    at: Floats
    granted: Bools
    withdrawn: Bools
    gone: Bools
    actor: NDArray[np.int8]
    fault: NDArray[np.int8]
    reason: NDArray[np.int8]


def stated_policy(world: World, orders: Orders, parcels: Parcels, requests: Requests) -> Bools:
    """Tell which requests the policy above refunds at once."""
    of, parcel = orders.pick(requests.order), parcels.pick(requests.order)
    before = requests.stage == STAGE["before_shipment"]
    physical = world.shops.goods[of.listing] == GOODS["physical"]
    soon = requests.at - parcel.paid <= AUTO_WITHIN_S
    return np.asarray(before & physical & (of.fen < AUTO_BELOW_FEN) & soon)


def review(
    world: World, rng: Rng, orders: Orders, parcels: Parcels, requests: Requests, *, auto: Bools
) -> Answers:
    """Answer the requests of one block: at once where ``auto``, otherwise as shops do.

    What is drawn does not depend on ``auto``: the same generator tells what would have come of each
    request under either answer.
    """
    of, parcel = orders.pick(requests.order), parcels.pick(requests.order)
    before = requests.stage == STAGE["before_shipment"]
    answered = requests.at + np.where(auto, AUTO_ANSWERS_S, _shop_takes(world, rng, of, before))
    overdue = before & ~auto & (answered - requests.at > SHOP_MUST_ANSWER_S)
    answered = np.where(overdue, requests.at + SHOP_MUST_ANSWER_S, answered)
    gone = before & (parcel.left <= requests.at)
    yes = _shop_grants_before(world, rng, of, requests, gone)
    yes = auto | np.where(before, yes | overdue, _shop_grants_after(rng, of, requests))
    withdrawn = _withdrawn(rng, requests, before & ~auto)
    changed_mind_at = requests.at + rng.random(len(of)) * (answered - requests.at)
    return Answers(
        at=np.where(withdrawn, changed_mind_at, answered),
        granted=yes & ~withdrawn,
        withdrawn=withdrawn,
        gone=gone,
        actor=np.select([auto, overdue], [ACTOR["auto"], ACTOR["platform"]], ACTOR["merchant"]).astype(
            np.int8
        ),
        fault=_found_fault(rng, requests, yes, auto),
        reason=_stated_reason(world, of, requests, yes, gone),
    )


def _shop_takes(world: World, rng: Rng, of: Orders, before: Bools) -> Floats:
    n, hours = len(of), world.shops.review_hours[of.shop]
    is_return = of.intent == Intent.RETURN
    soon = lognormal(rng, hours * HOUR, sigma=0.9, size=n) + 30.0
    later = np.where(is_return, lognormal(rng, 3.5 * DAY, sigma=0.5, size=n), 3.0 * soon)
    return np.where(before, soon, later)


def _shop_grants_before(world: World, rng: Rng, of: Orders, requests: Requests, gone: Bools) -> Bools:
    n, shops = len(of), world.shops
    made = shops.goods[of.listing] == GOODS["customized"]
    refuses = np.where(made, REFUSES_MADE_TO_ORDER, REFUSES_UNSHIPPED) * ~requests.by_shop * ~of.held
    unaware = chance(rng, shops.unaware[of.shop], n)
    return np.where(gone, unaware, ~chance(rng, refuses, n))


def _shop_grants_after(rng: Rng, of: Orders, requests: Requests) -> Bools:
    claim = np.where(requests.lie, GRANTS_FALSE_CLAIM, GRANTS_TRUE_CLAIM)
    return chance(rng, np.where(of.intent == Intent.RETURN, GRANTS_RETURN, claim), len(of))


def _withdrawn(rng: Rng, requests: Requests, open_to_it: Bools) -> Bools:
    late = requests.reason == REASON["late_shipment"]
    p = np.where(requests.by_shop, np.where(late, WITHDRAWS_FROM_SHOP_FAULT, 0.0), WITHDRAWS)
    return open_to_it & chance(rng, p, len(requests))


def _found_fault(rng: Rng, requests: Requests, yes: Bools, auto: Bools) -> NDArray[np.int8]:
    blamed_other = requests.fault > FAULT["buyer"]
    seen = requests.lie & blamed_other & ~auto & chance(rng, SEES_THROUGH, len(requests))
    refused = ~yes & ~requests.by_shop
    return np.where(seen | (refused & blamed_other), FAULT["buyer"], requests.fault).astype(np.int8)


def _stated_reason(world: World, of: Orders, requests: Requests, yes: Bools, gone: Bools) -> NDArray[np.int8]:
    made = world.shops.goods[of.listing] == GOODS["customized"]
    before = requests.stage == STAGE["before_shipment"]
    refusal = np.where(made & ~gone, REASON["made_to_order"], REASON["already_shipped"])
    return np.where(~yes & before, refusal, requests.reason).astype(np.int8)
