"""What came of each request in history, and what each policy's decision makes of it: known, or not.

A decision that is history's leaves what history tells; of what was not paid back that is known once 30 days
have passed, in a log that has shipments. Where it differs, only two things are known. Money paid back for
goods that never left is nobody's loss, whoever pays it back and when. And a parcel that had left when the
money was asked for had left whoever answers, so paying back at once loses it. All else is unknown, and lies
between nothing and the refund.

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
from .history import ANSWERS, History
from .instants import micros

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
    knows_shipping: bool = True

    @property
    def knows_waiting(self) -> bool:
        """Tell whether any answer came later than its question: otherwise the log keeps one time for both."""
        return bool((self.answered_us > 0).any())

    @property
    def by_person(self) -> Bools:
        """Answered by a merchant or an agent, or taken back while one looked at it."""
        return (self.answered_us >= 0) & ~self.auto


def outcomes_of(history: History) -> Outcomes:
    """Read what came of every request."""
    requests, facts = history.requests, history.facts
    cases = requests["after_sale_id"].combine_chunks()
    asked = micros_of(requests["requested_at"])
    answers = _of_cases(facts, ANSWERS, cases)
    place, first = np.unique(places_of(answers["after_sale_id"], cases), return_index=True)
    kind, actor = (np.full(len(cases), "", dtype=object) for _ in range(2))
    answered = np.full(len(cases), -1, np.int64)
    kind[place] = answers["kind"].to_numpy()[first]
    actor[place] = pc.fill_null(answers["actor"], "").to_numpy(zero_copy_only=False)[first]
    answered[place] = np.maximum(micros_of(answers["recorded_at"])[first] - asked[place], 0)
    closed = facts.filter(pc.equal(facts["outcome"], "merchant"))
    granted = kind == "refund_granted"
    shipped, left_at = _left(history)
    return Outcomes(
        before=pc.equal(requests["refund_type"], "refund_only").to_numpy(),
        fen=np.asarray(requests["refund_amount_fen"].to_numpy()),
        auto=granted & (actor == "auto"),
        granted=granted,
        rejected=kind == "refund_rejected",
        withdrawn=kind == "refund_withdrawn",
        answered_us=answered,
        found_shipped=_has(facts, ("refund_found_shipped",), cases),
        disputed=_has(facts, ("dispute_opened", "dispute_closed"), cases),
        lost_dispute=_has(closed, ("dispute_closed",), cases),
        shipped=shipped,
        left_before=shipped & (left_at < asked),
        settled=asked + SETTLED_US < micros(history.last),
        knows_shipping=bool(pc.any(pc.equal(history.orders["kind"], "order_shipped")).as_py()),
    )


def _left(history: History) -> tuple[Bools, Ints]:
    """Tell of each request's order whether it left, and when it first did."""
    orders = history.orders.filter(pc.equal(history.orders["kind"], "order_shipped"))
    orders = orders.sort_by([("occurred_at", "ascending")])
    at = pc.index_in(history.requests["order_id"], value_set=orders["order_id"])
    left = orders["occurred_at"].cast(pa.int64()).combine_chunks().take(at.combine_chunks())
    return pc.is_valid(left).to_numpy(zero_copy_only=False), pc.fill_null(left, 0).to_numpy(
        zero_copy_only=False
    )


def _of_cases(facts: pa.Table, kinds: tuple[str, ...], cases: pa.Array) -> pa.Table:
    wanted = pc.is_in(facts["kind"], value_set=pa.array(kinds))
    return facts.filter(pc.and_(wanted, pc.is_in(facts["after_sale_id"], value_set=cases)))


def _has(facts: pa.Table, kinds: tuple[str, ...], cases: pa.Array) -> Bools:
    found = np.zeros(len(cases), bool)
    found[places_of(_of_cases(facts, kinds, cases)["after_sale_id"], cases)] = True
    return found


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
    unknown = o.before & ((~same & ~harmless & ~gone) | unsettled)
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
