"""What orders will lead to under either answer: events that wait for none, and those that follow each.

Numbers are those of the whole market. Only requests before shipment change the course of a parcel.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .course import Asked, asked, lived
from .draws import Bools, Floats, Ints, Rng
from .habits import Habits
from .journal import NIL, Rows
from .orders import Columns, Orders, stacked
from .vocabulary import KIND, STAGE
from .world import World


@dataclass(frozen=True)
class Cases(Columns):
    """Refund requests with what is known of their orders; ``scripted`` ones are part of the abuse."""

    number: Ints
    order: Ints
    buyer: Ints
    at: Floats
    fen: Ints
    stage: NDArray[np.int8]
    reason: NDArray[np.int8]
    shop: Ints
    category: NDArray[np.int16]
    goods: NDArray[np.int8]
    paid: Floats
    paid_fen: Ints
    scripted: Bools


@dataclass(frozen=True)
class Sequel:
    """Events that follow one kind of answer, case by case; ``first`` is where each case's begin."""

    rows: Rows
    first: Ints

    def of(self, case: Ints) -> Rows:
        """Give the events of some cases, by position in the plan."""
        count = self.first[case + 1] - self.first[case]
        skipped = np.repeat(np.cumsum(count) - count, count)
        return self.rows.pick(np.repeat(self.first[case], count) + np.arange(count.sum()) - skipped)


@dataclass(frozen=True)
class Plan:
    """Orders, their requests, the events that need no answer, and those that follow either answer."""

    orders: Orders
    cases: Cases
    fixed: Rows
    by_hand: Sequel
    at_once: Sequel

    def sequel(self, case: Ints, *, auto: Bools) -> Rows:
        """Give the events that follow the answers to some cases, by position in the plan."""
        return stacked([self.by_hand.of(case[~auto]), self.at_once.of(case[auto])])


@dataclass(frozen=True)
class First:
    """Numbers in the whole market of the first buyer, order and case of a plan."""

    buyer: int = 0
    order: int = 0
    case: int = 0


def make_plan(world: World, rng: Rng, orders: Orders, habits: Habits, *, first: First) -> Plan:
    """Lay out both futures of each request with the same draws; ``habits`` has one value per buyer."""
    of = asked(world, rng, orders, habits)
    before_answers = rng.bit_generator.state
    futures = []
    for auto in (True, False):
        rng.bit_generator.state = before_answers
        rows = stacked(lived(world, rng, of, auto=np.full(len(of.requests), auto)))
        case = _waits_for(rows, of)
        futures.append((_numbered(rows, first), case))
    (at_once, case_at_once), (by_hand, case_by_hand) = futures
    return Plan(
        orders=replace(orders, buyer=orders.buyer + first.buyer),
        cases=_cases(world, of, first),
        fixed=by_hand.pick(case_by_hand == NIL),
        by_hand=_sequel(by_hand, case_by_hand, len(of.requests)),
        at_once=_sequel(at_once, case_at_once, len(of.requests)),
    )


def _waits_for(rows: Rows, of: Asked) -> Ints:
    """Say for which case's answer each event waits, or ``NIL``."""
    before = of.requests.stage == STAGE["before_shipment"]
    case_of_order = np.full(len(of.orders) + 1, NIL)  # the last is for events without an order
    case_of_order[of.requests.order[before]] = np.flatnonzero(before)
    parcel = np.isin(rows.kind, [KIND["order_shipped"], KIND["order_completed"]])
    case = np.where(rows.kind == KIND["refund_requested"], NIL, rows.case)
    return np.where(parcel, case_of_order[rows.order], case)


def _sequel(rows: Rows, case: Ints, cases: int) -> Sequel:
    waiting = np.flatnonzero(case != NIL)
    waiting = waiting[np.argsort(case[waiting], kind="stable")]
    return Sequel(rows.pick(waiting), np.searchsorted(case[waiting], np.arange(cases + 1)))


def _numbered(rows: Rows, first: First) -> Rows:
    return replace(
        rows,
        buyer=rows.buyer + first.buyer,
        order=np.where(rows.order < 0, NIL, rows.order + first.order),
        case=np.where(rows.case < 0, NIL, rows.case + first.case),
    )


def _cases(world: World, of: Asked, first: First) -> Cases:
    requests, order = of.requests, of.orders.pick(of.requests.order)
    return Cases(
        number=first.case + np.arange(len(requests)),
        order=first.order + requests.order,
        buyer=first.buyer + order.buyer,
        at=requests.at,
        fen=requests.fen,
        stage=requests.stage,
        reason=requests.reason,
        shop=order.shop,
        category=world.shops.category[order.listing],
        goods=world.shops.goods[order.listing],
        paid=of.parcels.paid[requests.order],
        paid_fen=order.fen,
        scripted=order.scripted,
    )
