"""What a buyer has used of the caps and what a shop and the platform have lost of their budgets.

A `Ledger` is kept for each buyer, `DayLosses` for each shop and for the platform; both grow by one fact at a
time, in any order and with repetitions where said. `Usage` is read off them at the instant of a decision.

Windows end with the decision and have no upper edge: what is known to be granted or lost counts even if it
is dated later, so that a clock set back opens no cap.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

from .shanghai import DAY_US, day_of, day_start, microseconds_of
from .value import value

FactKind = Literal["opened", "granted", "closed"]
KEPT_DAYS: Final = 31
"""Days for which a closed case is kept: the longest window, and one for a clock that is set back."""
KEPT_OPEN_DAYS: Final = 366


@value()
class Losses:
    """Fen lost on calendar days of Shanghai: today, the last 7 with today, the last 30 with today."""

    day: int = 0
    days_7: int = 0
    days_30: int = 0


NO_LOSSES: Final = Losses()


@value()
class Usage:
    """What was used before a request, at one instant; money in fen.

    Attributes
    ----------
    refunds_day, fen_day : int
        Automatic refunds since the calendar day of Shanghai began.
    refunds_7_days, fen_7_days, refunds_30_days, fen_30_days : int
        In the last 7 × 24 and 30 × 24 hours, the instant on the edge included.
    open_cases : int
        After-sales of the buyer that are open, without the request's own.
    unsettled_fen : int
        Granted automatically and not settled yet.
    shop, platform : Losses
        What refunds granted as unshipped have lost: this shop's and all shops'.
    """

    refunds_day: int = 0
    fen_day: int = 0
    refunds_7_days: int = 0
    fen_7_days: int = 0
    refunds_30_days: int = 0
    fen_30_days: int = 0
    open_cases: int = 0
    unsettled_fen: int = 0
    shop: Losses = NO_LOSSES
    platform: Losses = NO_LOSSES


NOTHING_USED: Final = Usage()


def after(usage: Usage, fen: int) -> Usage:
    """Give what is used once the request has been granted, for whom the dossier tells before and after."""
    return replace(
        usage,
        refunds_day=usage.refunds_day + 1,
        fen_day=usage.fen_day + fen,
        refunds_7_days=usage.refunds_7_days + 1,
        fen_7_days=usage.fen_7_days + fen,
        refunds_30_days=usage.refunds_30_days + 1,
        fen_30_days=usage.fen_30_days + fen,
        open_cases=usage.open_cases + 1,
        unsettled_fen=usage.unsettled_fen + fen,
    )


@value(kw_only=True)
class Fact:
    """One thing that happened to an after-sale.

    ``opened``: it was asked for. ``granted``: this product refunded ``fen`` automatically; the instant is the
    decision's. ``closed``: it ended, whichever way, which settles what was granted.
    """

    kind: FactKind
    after_sale_id: str
    at: datetime
    fen: int = 0


FACTS_OF_EVENTS: Final[dict[str, FactKind]] = {
    "refund_requested": "opened",
    "refund_granted": "closed",
    "refund_rejected": "closed",
    "refund_withdrawn": "closed",
}
"""What the event log tells. Its `refund_granted` is the money paid back: what was granted here is settled."""


@value()
class CaseUse:
    """What is known of one after-sale; instants in microseconds since 1970, None until heard of."""

    after_sale_id: str
    opened_us: int | None = None
    granted_us: int | None = None
    granted_fen: int = 0
    closed_us: int | None = None


@value()
class Ledger:
    """One buyer's recent after-sales, ordered by id; equal facts make equal ledgers in whichever order.

    ``latest_us`` is the latest instant told; what left all windows a day before it is dropped.
    """

    cases: tuple[CaseUse, ...] = ()
    latest_us: int = 0

    def told(self, fact: Fact) -> Ledger:
        """Add a fact; one that was told before changes nothing."""
        us = microseconds_of(fact.at)
        known = {case.after_sale_id: case for case in self.cases}
        case = known.get(fact.after_sale_id) or CaseUse(fact.after_sale_id)
        known[fact.after_sale_id] = _with(case, fact, us)
        latest = max(self.latest_us, us)
        in_order = [known[after_sale_id] for after_sale_id in sorted(known)]
        return Ledger(tuple([case for case in in_order if not _is_over(case, latest)]), latest)

    def usage(
        self,
        as_of: datetime,
        *,
        own: str | None = None,
        forgotten_after_days: float = 30.0,
        shop: Losses = NO_LOSSES,
        platform: Losses = NO_LOSSES,
    ) -> Usage:
        """Read what is used at an instant not more than a day before the latest that was told.

        Parameters
        ----------
        own : str, optional
            The request's after-sale, which is not another open case.
        forgotten_after_days : float
            The policy's `open_cases.forgotten_after_days`.
        """
        if not self.cases:
            return Usage(shop=shop, platform=platform)
        us = microseconds_of(as_of)
        today, week, month = day_start(us), us - 7 * DAY_US, us - 30 * DAY_US
        refunds_day = fen_day = refunds_7 = fen_7 = refunds_30 = fen_30 = open_cases = unsettled = 0
        forgotten = us - int(forgotten_after_days * DAY_US)
        for case in self.cases:
            granted, fen = case.granted_us, case.granted_fen
            if granted is not None and granted >= month:
                refunds_30 += 1
                fen_30 += fen
                if granted >= week:
                    refunds_7 += 1
                    fen_7 += fen
                    if granted >= today:
                        refunds_day += 1
                        fen_day += fen
            if case.closed_us is None and _begun(case) >= forgotten:
                open_cases += case.after_sale_id != own
                unsettled += fen
        return Usage(
            *(refunds_day, fen_day, refunds_7, fen_7, refunds_30, fen_30),
            *(open_cases, unsettled, shop, platform),
        )


def _with(case: CaseUse, fact: Fact, us: int) -> CaseUse:
    opened, granted, fen, closed = case.opened_us, case.granted_us, case.granted_fen, case.closed_us
    if fact.kind == "opened":
        opened = _earlier(opened, us)
    elif fact.kind == "closed":
        closed = _earlier(closed, us)
    elif granted is None or (us, fact.fen) < (granted, fen):
        granted, fen = us, fact.fen
    return CaseUse(case.after_sale_id, opened, granted, fen, closed)


def _earlier(known: int | None, us: int) -> int:
    return us if known is None else min(known, us)


def _begun(case: CaseUse) -> int:
    """Give the latest sign of life: a case is forgotten by that."""
    return max(case.opened_us or 0, case.granted_us or 0)


def _is_over(case: CaseUse, latest: int) -> bool:
    days = KEPT_OPEN_DAYS if case.closed_us is None else KEPT_DAYS
    ended = case.opened_us or 0, case.granted_us or 0, case.closed_us or 0
    return max(ended) < latest - days * DAY_US


@value()
class DayLosses:
    """What a shop or the platform lost on each of the last days: (day of Shanghai, fen), oldest first.

    A loss told twice counts twice: tell each event once.
    """

    days: tuple[tuple[int, int], ...] = ()

    def lost(self, at: datetime, fen: int) -> DayLosses:
        """Add a loss; days that left all windows are dropped."""
        day = day_of(microseconds_of(at))
        known = dict(self.days)
        known[day] = known.get(day, 0) + fen
        latest = max(known)
        return DayLosses(tuple(sorted((d, f) for d, f in known.items() if d >= latest - KEPT_DAYS)))

    def losses(self, as_of: datetime) -> Losses:
        """Read the losses of the windows that end with the day of an instant."""
        if not self.days:
            return NO_LOSSES
        today = day_of(microseconds_of(as_of))
        day = week = month = 0
        for lost_on, fen in self.days:
            ago = today - lost_on
            if ago < 30:
                month += fen
                if ago < 7:
                    week += fen
                    if ago < 1:
                        day += fen
        return Losses(day, week, month)
