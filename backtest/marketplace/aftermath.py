"""What follows an answer: the parcel's course, the shipping race lost, disputes and how they end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from .draws import DAY, HOUR, Bools, Floats, Rng, chance, lognormal
from .fulfilment import Parcels
from .habits import Habits
from .orders import Columns, Orders
from .requests import Requests
from .review import Answers
from .vocabulary import STAGE, Intent

WINS_TRUE: Final = 0.85
WINS_CHANGE_OF_MIND: Final = 0.75
WINS_LIE: Final = 0.2
"""Probability that the platform decides a dispute for the buyer: with a true grievance, after a refused
change of mind, and with a false claim or a parcel known to have left."""
LETS_IT_BE: Final = 0.3


@dataclass(frozen=True)
class Sequels(Columns):
    """What followed each request. Seconds from the start; infinite means never.

    Attributes
    ----------
    found, found_known
        The parcel of a refunded order turns out to have arrived, and when the platform learns it.
    opened, closed, buyer_wins
        The dispute.
    dropped
        The buyer accepts the refusal and withdraws.
    """

    found: Floats
    found_known: Floats
    opened: Floats
    closed: Floats
    buyer_wins: Bools
    dropped: Floats


def follow(
    rng: Rng, orders: Orders, parcels: Parcels, requests: Requests, answers: Answers, habits: Habits
) -> Sequels:
    """Draw what follows each answer; ``habits`` has one value per request."""
    n, parcel = len(requests), parcels.pick(requests.order)
    kept = answers.granted & answers.gone & ~chance(rng, habits.gives_back, n)
    found = np.where(kept, np.maximum(parcel.done, answers.at + HOUR), np.inf)
    refused = ~answers.granted & ~answers.withdrawn
    is_claim = orders.intent[requests.order] == Intent.CLAIM
    fights = refused & chance(rng, np.minimum(habits.fight * np.where(is_claim, 2.0, 1.0), 1.0), n)
    opened = np.where(fights, answers.at + lognormal(rng, 16 * HOUR, sigma=0.9, size=n), np.inf)
    drops = refused & ~fights & chance(rng, LETS_IT_BE, n)
    return Sequels(
        found=found,
        found_known=found + lognormal(rng, 2.5 * DAY, sigma=0.7, size=n),
        opened=opened,
        closed=opened + lognormal(rng, 16 * DAY, sigma=0.45, size=n),
        buyer_wins=chance(rng, _wins(orders, requests, answers), n),
        dropped=np.where(drops, answers.at + lognormal(rng, 5 * HOUR, sigma=0.8, size=n), np.inf),
    )


def actual_course(parcels: Parcels, requests: Requests, answers: Answers) -> Parcels:
    """Stop the parcels of orders refunded whole before shipment, delay those that waited for an answer."""
    before = requests.stage == STAGE["before_shipment"]
    stopped = before & answers.granted & requests.whole
    rows = requests.order[stopped]
    left, tracked, done = parcels.left.copy(), parcels.tracked.copy(), parcels.done.copy()
    for column in (left, tracked, done):
        column[rows] = np.inf
    waiting = before & ~stopped & ~answers.gone & np.isfinite(parcels.left[requests.order])
    rows = requests.order[waiting]
    shift = np.maximum(answers.at[waiting] + HOUR - left[rows], 0.0)
    for column in (left, tracked, done):
        column[rows] += shift
    return replace(parcels, left=left, tracked=tracked, done=done)


def _wins(orders: Orders, requests: Requests, answers: Answers) -> Floats:
    intent = orders.intent[requests.order]
    aimed = requests.lie | (intent == Intent.RACE) | orders.held[requests.order]
    grievance = requests.by_shop | (intent == Intent.RETURN) | (intent == Intent.CLAIM)
    return np.select([aimed, grievance], [WINS_LIE, WINS_TRUE], WINS_CHANGE_OF_MIND)
