"""What came of each request in history, and what each policy's decision makes of it: known, or not.

A decision that is history's leaves what history tells; of what was not paid back that is known once 30 days
have passed, in a log that has shipments. Where it differs, only two things are known. Money paid back for
goods that never left is nobody's loss, whoever pays it back and when. And a parcel that had left when the
money was asked for had left whoever answers, so paying back at once loses it. All else is unknown, and lies
between nothing and the refund. So is what came of asking again for an order after a refund at once that
history refused: nobody knows whether it would have been asked.

Bearers, each loss one:

- *merchant, shipping race*: refunded as unshipped, and the parcel had left. The goods are gone and so is the
  money.
- *platform*: refunded automatically, and a dispute about it was decided for the merchant: who refunded
  unseen makes it good.
- *merchant*: refunded by the merchant's own hand, and a dispute about it was decided for the merchant.
- *buyer*: refused or left open, never shipped, never refunded: the money is gone and nothing came.

Only requests before shipment count: nothing else does any policy decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .columns import Ints, micros_of, places_of
from .history import History
from .instants import micros
from .laid_down import ANSWERS

Bools = npt.NDArray[np.bool_]
HOUR_US: Final = 3_600_000_000
SETTLED_US: Final = 30 * 24 * HOUR_US
"""A refused order that has not been shipped for so long before the log ends will not be."""
BEARERS: Final = ("race", "platform", "merchant", "buyer")


@dataclass(frozen=True)
class Outcomes:
    """History's answer to every request, aligned with `History.requests`.

    Attributes
    ----------
    before : bool
        Asked for before shipment: what policies are about.
    fen : int64
    auto, granted, rejected, withdrawn : bool
        History's first answer; ``auto`` is granted without a person. None of them: still open.
    answered_us : int64
        From the request to the answer; -1 while open.
    found_shipped, disputed, lost_dispute : bool
        Later on: the parcel had left; a dispute was opened; it was decided for the merchant.
    shipped : bool
        The order left at some time.
    left_before : bool
        It had left before the request, as is known by now.
    settled : bool
        The log goes on long enough after the request.
    order : int64
        Numbers the orders.
    knows_shipping : bool
        Of the whole log: it says when parcels leave. If not, nothing tells which refund lost them.
    """

    before: Bools
    fen: Ints
    auto: Bools
    granted: Bools
    rejected: Bools
    withdrawn: Bools
    answered_us: Ints
    found_shipped: Bools
    disputed: Bools
    lost_dispute: Bools
    shipped: Bools
    left_before: Bools
    settled: Bools
    order: Ints
    knows_shipping: bool = True

    @property
    def knows_waiting(self) -> bool:
        """Tell whether any answer came later than its question: otherwise the log keeps one time for both."""
        return bool((self.answered_us > 0).any())

    def contradicted(self, auto: Bools) -> Bools:
        """Tell which requests history refused, or were withdrawn, that a policy refunds at once.

        Neither came about under the policy: the money was paid.
        """
        return auto & (self.rejected | self.withdrawn)

    def not_asked(self, auto: Bools) -> Bools:
        """Tell which requests ask again about an order after such a refund: they may never have come."""
        first = np.full(int(self.order.max(initial=-1)) + 1, len(auto))
        places = np.flatnonzero(self.contradicted(auto))
        np.minimum.at(first, self.order[places], places)
        return np.asarray(first[self.order] < np.arange(len(auto)))

    @property
    def by_person(self) -> Bools:
        """Answered by a merchant or an agent, or taken back while one looked at it."""
        return (self.answered_us >= 0) & ~self.auto


def outcomes_of(history: History) -> Outcomes:
    """Read what came of every request."""
    requests = history.requests
    cases = requests["after_sale_id"].combine_chunks()
    asked = micros_of(requests["requested_at"])
    came = _Came(cases, asked)
    for facts in history.facts():
        came.add(facts)
    kind, granted = came.kind, came.kind == "refund_granted"
    shipped, left_at, knows_shipping = _left(history)
    return Outcomes(
        before=pc.equal(requests["refund_type"], "refund_only").to_numpy(),
        fen=np.asarray(requests["refund_amount_fen"].to_numpy()),
        auto=granted & came.auto,
        granted=granted,
        rejected=kind == "refund_rejected",
        withdrawn=kind == "refund_withdrawn",
        answered_us=came.answered,
        found_shipped=came.found_shipped,
        disputed=came.disputed,
        lost_dispute=came.lost_dispute,
        shipped=shipped,
        left_before=shipped & (left_at < asked),
        settled=asked + SETTLED_US < micros(history.last),
        order=np.asarray(requests["order_id"].combine_chunks().dictionary_encode().indices.to_numpy()),
        knows_shipping=knows_shipping,
    )


class _Came:
    """What came of requests, told month by month; of several answers the first counts."""

    def __init__(self, cases: pa.Array, asked: Ints) -> None:
        n = len(cases)
        self._cases, self._asked = cases, asked
        self.kind = np.full(n, "", dtype=object)
        self.answered = np.full(n, -1, np.int64)
        self.auto, self.found_shipped, self.disputed, self.lost_dispute = (
            np.zeros(n, bool) for _ in range(4)
        )

    def add(self, facts: pa.Table) -> None:
        """Take in a month."""
        facts = facts.filter(pc.is_in(facts["after_sale_id"], value_set=self._cases, skip_nulls=True))
        answers, place = self._of(facts, *ANSWERS)
        place, first = np.unique(place, return_index=True)
        new = self.answered[place] < 0
        place, answers = place[new], answers.take(pa.array(first[new]))
        self.kind[place] = answers["kind"].to_numpy()
        self.auto[place] = pc.fill_null(pc.equal(answers["actor"], "auto"), False).to_numpy()
        self.answered[place] = np.maximum(micros_of(answers["recorded_at"]) - self._asked[place], 0)
        self.found_shipped[self._of(facts, "refund_found_shipped")[1]] = True
        self.disputed[self._of(facts, "dispute_opened", "dispute_closed")[1]] = True
        lost = facts.filter(pc.equal(facts["outcome"], "merchant"))
        self.lost_dispute[self._of(lost, "dispute_closed")[1]] = True

    def _of(self, facts: pa.Table, *kinds: str) -> tuple[pa.Table, Ints]:
        some = facts.filter(pc.is_in(facts["kind"], value_set=pa.array(kinds)))
        return some, places_of(some["after_sale_id"], self._cases)


def _left(history: History) -> tuple[Bools, Ints, bool]:
    """Tell of each request's order whether it left, and when it first did; and whether any order did."""
    left, known = [pa.array([], pa.int64())], False
    for month in history.order_months:
        orders = history.orders_of(month)
        orders = orders.filter(pc.equal(orders["kind"], "order_shipped"))
        orders = orders.sort_by([("occurred_at", "ascending")])
        known = known or len(orders) > 0
        asked = history.requests_of(month)["order_id"].combine_chunks()
        at = pc.index_in(asked, value_set=orders["order_id"])
        left.append(orders["occurred_at"].cast(pa.int64()).combine_chunks().take(at))
    at = pa.concat_arrays(left)
    return pc.is_valid(at).to_numpy(zero_copy_only=False), pc.fill_null(at, 0).to_numpy(), known


@dataclass(frozen=True)
class Losses:
    """What a policy's decisions lose on each request, in fen.

    ``known`` is by bearer; where ``unknown``, nothing is known and the loss lies between 0 and ``worst``.
    """

    known: dict[str, Ints]
    unknown: Bools
    worst: Ints

    @property
    def total(self) -> Ints:
        """All that is known."""
        return np.asarray(np.sum(list(self.known.values()), axis=0, dtype=np.int64))


def losses_of(outcomes: Outcomes, auto: Bools) -> Losses:
    """Tell what decisions lose.

    Parameters
    ----------
    auto : bool (n,)
        The policy refunds automatically.
    """
    o, fen = outcomes, outcomes.fen
    same = auto == o.auto
    had_left = o.found_shipped | o.left_before
    harmless = o.granted & ~had_left & ~o.lost_dispute & o.knows_shipping
    gone = auto & o.left_before
    refused = ~auto & ~o.granted & ~o.shipped & ~o.withdrawn
    unsettled = refused & ~(o.settled & o.knows_shipping)
    unknown = o.before & ((~same & ~harmless & ~gone) | unsettled | o.not_asked(auto))
    told = o.before & ~unknown
    race = (same & o.granted & had_left) | gone
    lost = same & o.granted & o.lost_dispute & ~race
    known = {
        "race": told & race,
        "platform": told & lost & auto,
        "merchant": told & lost & ~auto,
        "buyer": told & refused,
    }
    return Losses(
        known={bearer: np.where(where, fen, 0) for bearer, where in known.items()},
        unknown=unknown,
        worst=np.where(unknown, fen, 0),
    )
