"""The closed loop: the market asks for each decision, lives with the answer, and its abusers react.

What people mean to do, how shops fulfil and what would come of each request under either answer is laid out
as in the open loop, with the same draws; the answers choose. With ``stated_answer`` and abusers that do not
react, the closed loop writes the open loop's market, but for the numbers of its events.

Time passes in steps. A step holds at most one request of a buyer, or several of one instant, and what is told
of a buyer who asks ends with them: the rest of that day comes in a later step of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.events import GOODS_TYPES, SCHEMA

from .config import MarketConfig
from .draws import DAY, Bools
from .encode import encode, instants, numbered, words_of
from .journal import Rows
from .market import Market
from .orders import stacked
from .plan import Cases
from .review import AUTO_BELOW_FEN, AUTO_WITHIN_S
from .shops import CATEGORIES
from .town import Town
from .truth import truth_of
from .vocabulary import KIND, REASONS, STAGE

MARKS: Final = [
    KIND[kind] for kind in ("abuse_confirmed", "abuse_cleared", "identity_linked", "refund_found_shipped")
]
"""What is known of one account may count for another, a lost parcel for a budget; a step ends before it."""


@dataclass(frozen=True)
class Step:
    """What became known since the step before, and the requests that wait for an answer.

    Attributes
    ----------
    events
        The contract's columns; a buyer's events in the order in which they became known. Whatever was
        recorded before a request is in its step's or an earlier step's events.
    requests
        By ``requested_at``, of a buyer only those of one instant: ``after_sale_id``, ``buyer_id``,
        ``refund_type``, ``refund_amount_fen``, ``requested_at``, ``reason``, ``order_id``, ``shop_id``,
        ``category_id``, ``goods_type``, ``paid_amount_fen``, ``paid_at``, ``shipping_status``. Often empty,
        in the last step always.
    """

    events: pa.Table
    requests: pa.Table


@dataclass(frozen=True)
class Replies:
    """The answers to a step's requests, row by row.

    Attributes
    ----------
    auto
        Refunded at once; otherwise a person in the shop decides.
    revoked
        The buyer's eligibility is, by now, taken away.
    felt
        Whether abusers learn from these answers. Not those of a history that was there before.
    """

    auto: Bools
    revoked: Bools
    felt: bool = True


Answer: TypeAlias = Callable[[Step], Replies]


def live(
    config: MarketConfig,
    answer: Answer,
    *,
    reacts: bool = True,
    progress: Callable[[float], None] = lambda done: None,
    night_s: float | None = None,
) -> Market:
    """Run a market day by day with the answers of a decision engine.

    Parameters
    ----------
    config
        As for ``simulate``. Memory holds the whole market.
    answer
        Called with every step in turn; a deterministic one gives the same bytes for the same config.
    reacts
        Whether abusers react as ``minds`` and ``successors`` say.
    progress
        Is told the share of the days that have passed.
    night_s
        So many seconds after each day's begin a step ends, so that all is told that was recorded by then.

    Returns
    -------
    Market
        The log, sorted by ``recorded_at``, and the truth, with a row for each account that was opened in
        place of another.

    Raises
    ------
    ValueError
        The answer does not fit the step's requests.
    """
    town, log = Town(config), _Log(config)
    waiting = town.no_rows
    for day in range(config.days):
        waiting, cases = _by_time(stacked([waiting, *town.rows_of(day)])), town.cases_of(day)
        for until, wave in _waves(cases, waiting, day=day, night_s=night_s):
            told = (waiting.recorded < until) & (waiting.recorded <= town.asks_at(wave)[waiting.buyer])
            step = Step(log.written(waiting.pick(told)), _requests(wave, config))
            replies = _fitting(answer(step), len(wave))
            if replies.felt:
                town.feel(wave, auto=replies.auto, revoked=replies.revoked)
            now = town.live_with(wave, auto=replies.auto, day=day)
            waiting = _by_time(stacked([waiting.pick(~told), now]))
        if reacts:
            town.react(day)
        progress((day + 1) / config.days)
    answer(Step(log.written(waiting), _requests(town.no_cases, config)))
    return Market(log.sorted(), truth_of(config, town.people))


def stated_answer(step: Step) -> Replies:
    """Answer as the open loop's own policy does (``review``); nobody's eligibility is taken away."""
    asked = step.requests
    soon = pc.less_equal(
        pc.microseconds_between(asked["paid_at"], asked["requested_at"]), int(AUTO_WITHIN_S * 1e6)
    )
    conditions = (
        soon,
        pc.equal(asked["shipping_status"], "unshipped"),
        pc.equal(asked["goods_type"], "physical"),
        pc.less(asked["paid_amount_fen"], AUTO_BELOW_FEN),
    )
    auto = np.logical_and.reduce([np.asarray(condition, np.bool_) for condition in conditions])
    return Replies(auto=auto, revoked=np.zeros(len(auto), np.bool_))


class _Log:
    """The events so far, numbered in the order in which they were told."""

    def __init__(self, config: MarketConfig) -> None:
        self._config, self._tables, self._count = config, list[pa.Table](), 0

    def written(self, rows: Rows) -> pa.Table:
        number = self._count + np.arange(len(rows))
        table = encode(rows, number, start=self._config.start, seed=self._config.seed).cast(SCHEMA)
        self._tables.append(table)
        self._count += len(rows)
        return table

    def sorted(self) -> pa.Table:
        table = pa.concat_tables(self._tables).combine_chunks()
        return table.take(pc.sort_indices(table, [("recorded_at", "ascending"), ("event_id", "ascending")]))


def _by_time(rows: Rows) -> Rows:
    return rows.pick(np.lexsort((rows.kind, rows.occurred, rows.recorded)))


def _waves(cases: Cases, rows: Rows, *, day: int, night_s: float | None) -> Iterator[tuple[float, Cases]]:
    """Divide a day's cases so that no buyer asks at two instants, or is marked after asking, in one part."""
    marked = np.isin(rows.kind, MARKS)
    at = np.concatenate([rows.recorded[marked], cases.at])
    buyer = np.concatenate([rows.buyer[marked], cases.buyer])
    asks = np.arange(len(at)) >= marked.sum()
    cuts, seen = [] if night_s is None else [day * DAY + night_s], set[int]()
    for i in np.argsort(at, kind="stable").tolist():
        if int(buyer[i]) in seen:
            cuts.append(float(at[i]))
            seen.clear()
        if asks[i]:
            seen.add(int(buyer[i]))
    low, end = 0, (day + 1) * DAY
    for until in [*sorted(cuts), end]:
        high = int(np.searchsorted(cases.at, until)) if until < end else len(cases)
        yield until, cases.pick(slice(low, high))
        low = high


def _requests(cases: Cases, config: MarketConfig) -> pa.Table:
    after = cases.stage == STAGE["after_shipment"]

    def words(code: NDArray[Any], known: tuple[str, ...]) -> pa.Array:
        return words_of(code, known).cast(pa.string())

    return pa.table(
        {
            "after_sale_id": numbered("a", cases.number),
            "buyer_id": numbered("b", cases.buyer, digits=7),
            "refund_type": words(after, ("refund_only", "return_and_refund")),
            "refund_amount_fen": pa.array(cases.fen),
            "requested_at": instants(cases.at, config.start),
            "reason": words(cases.reason, REASONS),
            "order_id": numbered("o", cases.order),
            "shop_id": numbered("s", cases.shop, digits=7),
            "category_id": words(cases.category, CATEGORIES),
            "goods_type": words(cases.goods, GOODS_TYPES),
            "paid_amount_fen": pa.array(cases.paid_fen),
            "paid_at": instants(cases.paid, config.start),
            "shipping_status": words(after, ("unshipped", "shipped")),
        }
    )


def _fitting(replies: Replies, asked: int) -> Replies:
    for name, column in (("auto", replies.auto), ("revoked", replies.revoked)):
        if column.shape != (asked,) or column.dtype != np.bool_:
            raise ValueError(
                f"{name} is {column.dtype} of shape {column.shape}: give one bool per request, {asked}"
            )
    return replies
