"""What would make a buyer a quality user: one change of the history at a time, by the real kernel and score.

A feature cannot be changed alone: one cancellation less moves counts, sums, rates and medians of every
window. So the search changes the *history*, in one way, by the least amount, and asks the kernel; every
vector it looks at is one that a buyer could have. What nobody can act on (confirmed abuse, links) is not
tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median_low
from typing import Any, Final

from decisions.policy import Policy
from decisions.tiers import tier_of
from features.online import rows_vector
from features.rows import COLUMNS, Row, microseconds

from .buyer_score import BuyerScore
from .evidence import buyer_evidence

Text = Mapping[str, str]

DAYS_TRIED: Final = (1, 3, 7, 14, 30, 45, 60, 90, 120, 150, 180, 270, 365)
MOST_ORDERS: Final = 40
ORDER_EVERY_DAYS: Final = 3
N_SHOPS: Final = 5
MOST_REMOVED: Final = 40
USUAL_FEN: Final = 9_000
DAY_US: Final = 86_400_000_000

History = tuple[list[Row], datetime]


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """One change that would make the buyer a quality user, by the least amount that does.

    Attributes
    ----------
    change : str
        `wait_days`, `complete_orders`, or what there would have to be less of: `fewer_cancellations`,
        `fewer_returns`, `fewer_unpaid`, `fewer_disputes`, `fewer_found_shipped`.
    amount : int
        Days, or how many.
    points : float
        The score then.
    """

    change: str
    amount: int
    points: float
    text: Text


@dataclass(frozen=True)
class _Change:
    zh: str
    en: Callable[[int], str]
    histories: Callable[[Sequence[Row], str, datetime], Iterator[tuple[int, History]]]


def counterfactuals(
    rows: Sequence[Row], *, buyer_id: str, as_of: datetime, score: BuyerScore, policy: Policy
) -> tuple[Counterfactual, ...]:
    """Search each kind of change for the least that leads to the quality tier; empty if none does.

    Parameters
    ----------
    rows : sequence of Row
        As `features.online.rows_vector` takes them; what was recorded from `as_of` on is not looked at.

    Returns
    -------
    tuple of Counterfactual
        In the order of `CHANGES`; empty, too, for whoever is a quality user already.
    """
    known = [row for row in rows if microseconds(row["recorded_at"]) < microseconds(as_of)]

    def points_if_quality(history: History) -> float | None:
        vector = rows_vector(history[0], buyer_id=buyer_id, as_of=history[1])
        evidence = buyer_evidence(vector, score=score)
        return evidence.score if tier_of(evidence, policy) == "quality" else None

    if points_if_quality((known, as_of)) is not None:
        return ()
    found = (
        _least(name, change, change.histories(known, buyer_id, as_of), points_if_quality)
        for name, change in CHANGES.items()
    )
    return tuple(one for one in found if one)


def _least(
    name: str,
    change: _Change,
    histories: Iterator[tuple[int, History]],
    points_if_quality: Callable[[History], float | None],
) -> Counterfactual | None:
    for amount, history in histories:
        points = points_if_quality(history)
        if points is not None:
            said = {"zh": change.zh.format(n=amount), "en": change.en(amount)}
            return Counterfactual(change=name, amount=amount, points=points, text=said)
    return None


def _waiting(rows: Sequence[Row], buyer_id: str, as_of: datetime) -> Iterator[tuple[int, History]]:
    for days in DAYS_TRIED:
        yield days, (list(rows), as_of + timedelta(days=days))


def _completing(rows: Sequence[Row], buyer_id: str, as_of: datetime) -> Iterator[tuple[int, History]]:
    """Place an order of the usual amount every three days and complete it on the third."""
    paid = [row["amount_fen"] for row in rows if row["kind"] == "order_paid" and row["buyer_id"] == buyer_id]
    fen = median_low([amount for amount in paid if amount] or [USUAL_FEN])
    added = list(rows)
    for n in range(1, MOST_ORDERS + 1):
        at = microseconds(as_of) + (n - 1) * ORDER_EVERY_DAYS * DAY_US
        added += _order(buyer_id, n, at=at, fen=fen)
        yield n, (list(added), as_of + timedelta(days=n * ORDER_EVERY_DAYS))


def _order(buyer_id: str, n: int, *, at: int, fen: int) -> Iterator[Row]:
    kinds = {"order_placed": 0.0, "order_paid": 0.001, "order_shipped": 1.0, "order_completed": 2.9}
    for kind, days in kinds.items():
        when = at + int(days * DAY_US)
        yield _event(
            kind, buyer_id, when=when, order_id=f"would-be-{n}", fen=fen, shop=f"would-be-{n % N_SHOPS}"
        )


def _event(kind: str, buyer_id: str, *, when: int, order_id: str, fen: int, shop: str | None) -> Row:
    return dict.fromkeys(COLUMNS) | {
        "event_id": f"{order_id} {kind}",
        "buyer_id": buyer_id,
        "kind": kind,
        "occurred_at": when,
        "recorded_at": when,
        "order_id": order_id,
        "shop_id": shop,
        "goods_type": "physical",
        "amount_fen": fen,
        "line_count": 1,
    }


def _without(
    wrong: Callable[[Row], bool], *, dropped: Callable[[Row], bool], kept: bool = False
) -> Callable[[Sequence[Row], str, datetime], Iterator[tuple[int, History]]]:
    """Take back, latest first, what was wrong with orders; `kept` completes those that were never shipped."""

    def histories(rows: Sequence[Row], buyer_id: str, as_of: datetime) -> Iterator[tuple[int, History]]:
        bad = [row for row in rows if row["buyer_id"] == buyer_id and row["order_id"] and wrong(row)]
        bad.sort(key=lambda row: microseconds(row["recorded_at"]), reverse=True)
        orders = list(dict.fromkeys(row["order_id"] for row in bad))
        for n in range(1, min(len(orders), MOST_REMOVED) + 1):
            mended = set(orders[:n])
            left = [row for row in rows if not (row["order_id"] in mended and dropped(row))]
            completed = _completed(left, mended, buyer_id=buyer_id, as_of=as_of) if kept else []
            yield n, ([*left, *completed], as_of)

    return histories


def _completed(left: Sequence[Row], mended: set[str], *, buyer_id: str, as_of: datetime) -> list[Row]:
    """Carry mended orders through, shipped after a day and completed after five, as far as time allows."""
    done = {row["order_id"] for row in left if row["kind"] in {"order_shipped", "order_completed"}}
    added: list[Row] = []
    for row in left:
        if row["kind"] != "order_paid" or row["order_id"] not in mended - done:
            continue
        for kind, days in (("order_shipped", 1), ("order_completed", 5)):
            when = microseconds(row["recorded_at"]) + days * DAY_US
            if when < microseconds(as_of):
                order: dict[str, Any] = {
                    **row,
                    "event_id": f"would-be {row['order_id']} {kind}",
                    "kind": kind,
                }
                added.append(order | {"occurred_at": when, "recorded_at": when})
    return added


def _refund(row: Row) -> bool:
    return bool(row["kind"].startswith("refund_"))


def _cancellation(row: Row) -> bool:
    own = row["fault"] in {None, "buyer", "none"}
    return row["kind"] == "refund_requested" and row["stage"] == "before_shipment" and own


def _return(row: Row) -> bool:
    own = row["fault"] in {None, "buyer", "none"}
    return row["kind"] == "refund_requested" and row["stage"] == "after_shipment" and own


def counted(n: int, thing: str) -> str:
    """Say how many, in English."""
    return f"{n} {thing}" if n == 1 else f"{n:,} {thing}s"


def _latest(n: int, thing: str) -> str:
    return thing if n == 1 else counted(n, thing)


CHANGES: Final[Mapping[str, _Change]] = {
    "wait_days": _Change(
        "再过 {n} 天且没有新的记录,即为优质用户",
        lambda n: f"would be quality after {counted(n, 'day')} in which nothing happens",
        _waiting,
    ),
    "complete_orders": _Change(
        "若再在五家新店铺按平时金额正常完成 {n} 笔单件订单(每三天一笔,次日发货),即为优质用户",
        lambda n: (
            f"would be quality after completing {counted(n, 'more order')} of one item and the usual amount "
            f"in {counted(min(n, N_SHOPS), 'new shop')}, one every three days, shipped the next day"
        ),
        _completing,
    ),
    "fewer_cancellations": _Change(
        "若最近 {n} 笔发货前取消的订单正常完成,即为优质用户",
        lambda n: f"would be quality if the latest {_latest(n, 'cancelled order')} had been kept",
        _without(_cancellation, dropped=_refund, kept=True),
    ),
    "fewer_returns": _Change(
        "若没有最近 {n} 笔发货后退款,即为优质用户",
        lambda n: f"would be quality without the latest {_latest(n, 'refund')} after shipment",
        _without(_return, dropped=_refund),
    ),
    "fewer_unpaid": _Change(
        "若没有最近 {n} 笔未付款订单,即为优质用户",
        lambda n: f"would be quality without the latest {_latest(n, 'unpaid order')}",
        _without(lambda row: row["kind"] == "order_closed_unpaid", dropped=lambda row: True),
    ),
    "fewer_disputes": _Change(
        "若没有最近 {n} 起纠纷,即为优质用户",
        lambda n: f"would be quality without the latest {_latest(n, 'dispute')}",
        _without(
            lambda row: row["kind"] == "dispute_opened",
            dropped=lambda row: row["kind"] in {"dispute_opened", "dispute_closed"},
        ),
    ),
    "fewer_found_shipped": _Change(
        "若没有最近 {n} 笔退款后发现已发货,即为优质用户",
        lambda n: f"would be quality without the latest {_latest(n, 'refund')} of a parcel found shipped",
        _without(
            lambda row: row["kind"] == "refund_found_shipped",
            dropped=lambda row: row["kind"] == "refund_found_shipped",
        ),
    ),
}
"""Every kind of change that is tried, the way ahead first."""
