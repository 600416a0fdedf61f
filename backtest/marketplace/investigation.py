"""What the platform's investigators find out: late, incomplete, and now and then wrong.

An abuser whose archetype is detected with probability p is confirmed once with that probability, a
log-normal delay after one of the incidents; members of a group are found in one wave. Six in ten
confirmed accounts place no order afterwards. About one honest account in a thousand is confirmed by
mistake, more often one with linked accounts or many cancellations; nine in ten of those are cleared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .archetypes import ARCHETYPES, Archetype
from .archetypes.base import Cast
from .draws import DAY, Bools, Floats, Ints, Rng, chance, lognormal
from .orders import Columns, Orders
from .people import People
from .vocabulary import REASON

CLOSED_SHARE: Final = 0.6
WRONG: Final = 0.0008
WRONG_FACTOR: Final = {"indecisive": 3.0, "household": 2.0, "festival_shopper": 1.5}
DELAY_SPREAD: Final = 0.5


@dataclass(frozen=True)
class Findings(Columns):
    """Confirmed abuse, one row per account: when it happened, became known, and was lifted (or infinite)."""

    buyer: Ints
    happened: Floats
    confirmed: Floats
    cleared: Floats
    reason: NDArray[np.int8]
    closed: Bools


def investigate(rng: Rng, archetype: Archetype, cast: Cast, orders: Orders) -> Findings:
    """Confirm some of the people of one archetype by the orders of their script."""
    n = len(cast)
    found = cast.per_group(rng) < archetype.detected
    incident = _incidents(cast, orders, cast.per_group(rng))
    delay = lognormal(rng, archetype.detect_days * DAY, sigma=DELAY_SPREAD, size=n)
    confirmed = incident + delay
    lifted = chance(rng, archetype.cleared, n)
    cleared = np.where(lifted, confirmed + rng.uniform(8.0, 30.0, n) * DAY, np.inf)
    reason = np.full(n, REASON[archetype.confirmed_for], np.int8)
    closed = chance(rng, CLOSED_SHARE, n) & ~lifted
    findings = Findings(cast.buyer, incident, confirmed, cleared, reason, closed)
    return findings.pick(found & np.isfinite(incident))


def mistakes(rng: Rng, people: People, end: float) -> Findings:
    """Confirm a few honest accounts by mistake."""
    factor = np.array([WRONG_FACTOR.get(a.name, 1.0) for a in ARCHETYPES])[people.code]
    wrong = ~people.is_abuser & chance(rng, WRONG * factor, len(people))
    buyer = np.flatnonzero(wrong)
    n = len(buyer)
    happened = rng.uniform(people.joined[buyer], np.maximum(end, people.joined[buyer]))
    confirmed = happened + lognormal(rng, 20 * DAY, sigma=DELAY_SPREAD, size=n)
    lifted = confirmed + lognormal(rng, 14 * DAY, sigma=0.6, size=n)
    cleared = np.where(chance(rng, 0.9, n), lifted, np.inf)
    reason = rng.choice([REASON["abnormal_refunds"], REASON["linked_accounts"]], n).astype(np.int8)
    return Findings(buyer, happened, confirmed, cleared, reason, np.zeros(n, np.bool_))


def before_closing(people: People, findings: Findings, orders: Orders) -> Orders:
    """Drop the orders that accounts would have placed after they were closed."""
    closing = np.full(len(people), np.inf)
    closing[findings.buyer[findings.closed]] = findings.confirmed[findings.closed]
    return orders.pick(orders.placed < closing[orders.buyer])


def _incidents(cast: Cast, orders: Orders, quantile: Floats) -> Floats:
    """Pick for each member the time of one of the first four fifths of their orders, infinite without any."""
    by_time = np.lexsort((orders.placed, orders.buyer))
    buyer, placed = orders.buyer[by_time], orders.placed[by_time]
    first = np.searchsorted(buyer, cast.buyer, side="left")
    count = np.searchsorted(buyer, cast.buyer, side="right") - first
    chosen = first + (0.8 * quantile * count).astype(np.int64)
    times = np.append(placed, np.inf)
    return np.where(count > 0, times[np.minimum(chosen, len(placed))], np.inf)
