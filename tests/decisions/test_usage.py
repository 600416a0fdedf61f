"""What is used of caps, against a slow model: a list of facts, `datetime` and the calendar of Shanghai."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.caps import NOTHING_USED, DayLosses, Fact, Ledger, Losses, Usage, after

SHANGHAI = ZoneInfo("Asia/Shanghai")
MIDNIGHT = datetime(2026, 3, 1, 16, tzinfo=UTC)
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


def slow_usage(facts: list[Fact], as_of: datetime, *, own: str | None, forgotten: timedelta) -> Usage:
    """Count over the facts again for every question, window by window."""
    ids = {f.after_sale_id for f in facts}
    grants = {}
    for i in ids:
        granted = [(f.at, f.fen) for f in facts if f.after_sale_id == i and f.kind == "granted"]
        if granted:
            grants[i] = min(granted)
    today = as_of.astimezone(SHANGHAI).date()
    in_day = [fen for at, fen in grants.values() if at.astimezone(SHANGHAI).date() >= today]
    in_7 = [fen for at, fen in grants.values() if at >= as_of - 7 * DAY]
    in_30 = [fen for at, fen in grants.values() if at >= as_of - 30 * DAY]
    alive = []
    for i in ids:
        opened = [f.at for f in facts if f.after_sale_id == i and f.kind == "opened"]
        signs = sorted(opened)[:1] + ([grants[i][0]] if i in grants else [])
        closed = any(f.after_sale_id == i and f.kind == "closed" for f in facts)
        if not closed and signs and max(signs) >= as_of - forgotten:
            alive.append(i)
    return Usage(
        refunds_day=len(in_day),
        fen_day=sum(in_day),
        refunds_7_days=len(in_7),
        fen_7_days=sum(in_7),
        refunds_30_days=len(in_30),
        fen_30_days=sum(in_30),
        open_cases=len([i for i in alive if i != own]),
        unsettled_fen=sum(grants[i][1] for i in alive if i in grants),
    )


EDGES = [n * DAY + tick for n in (0, 1, 6, 7, 8, 29, 30, 31, 45) for tick in (-TICK, 0 * TICK, TICK)]


@st.composite
def facts_and_question(draw: st.DrawFn) -> tuple[list[Fact], datetime]:
    """Cases of some days each, told in the order of their instants; instants like to lie on edges."""
    facts = []
    for i in range(draw(st.integers(0, 8))):
        start = MIDNIGHT + draw(st.sampled_from(EDGES))
        for kind in draw(st.lists(st.sampled_from(["opened", "granted", "closed"]), max_size=4)):
            at = start + draw(st.sampled_from([0 * DAY, TICK, DAY / 3, DAY, 7 * DAY, 20 * DAY]))
            facts.append(Fact(kind=kind, after_sale_id=f"a{i}", at=at, fen=draw(st.integers(0, 30_000))))  # type: ignore[arg-type]
    facts.sort(key=lambda f: f.at)
    latest = facts[-1].at if facts else MIDNIGHT
    as_of = draw(st.sampled_from([latest, latest - DAY, *(f.at + e for f in facts for e in EDGES[3:])]))
    return facts, max(as_of, latest - DAY)


@settings(max_examples=200, deadline=None)
@given(
    asked=facts_and_question(),
    own=st.sampled_from([None, "a0", "a3"]),
    days=st.sampled_from([0.0, 7.0, 30.0, 365.0]),
    seed=st.integers(0, 9),
)
def test_the_ledger_tells_what_counting_all_facts_again_tells(
    asked: tuple[list[Fact], datetime], own: str | None, days: float, seed: int
) -> None:
    facts, as_of = asked
    ledger = Ledger()
    for fact in facts:
        ledger = ledger.told(fact).told(fact)
    expected = slow_usage(facts, as_of, own=own, forgotten=timedelta(days=days))
    assert ledger.usage(as_of, own=own, forgotten_after_days=days) == expected
    shuffled, other = random.Random(seed).sample(facts, len(facts)), Ledger()
    for fact in shuffled:
        other = other.told(fact)
    assert other.latest_us == ledger.latest_us
    if facts and facts[-1].at - facts[0].at <= 30 * DAY:
        assert other == ledger


@pytest.mark.parametrize(
    ("granted", "as_of", "today"),
    [
        (MIDNIGHT, MIDNIGHT, 1),
        (MIDNIGHT - TICK, MIDNIGHT, 0),
        (MIDNIGHT - TICK, MIDNIGHT - TICK, 1),
        (MIDNIGHT, MIDNIGHT + DAY - TICK, 1),
        (MIDNIGHT, MIDNIGHT + DAY, 0),
        (MIDNIGHT + TICK, MIDNIGHT, 1),
    ],
)
def test_the_day_of_shanghai_begins_at_sixteen_hours_utc(
    granted: datetime, as_of: datetime, today: int
) -> None:
    usage = Ledger().told(Fact(kind="granted", after_sale_id="a", at=granted, fen=5)).usage(as_of)
    assert (usage.refunds_day, usage.fen_day) == (today, 5 * today)


@pytest.mark.parametrize(("days", "counts"), [(7, (1, 1)), (30, (0, 1))])
def test_a_rolling_window_holds_its_edge_and_not_a_microsecond_more(
    days: int, counts: tuple[int, int]
) -> None:
    ledger = Ledger().told(Fact(kind="granted", after_sale_id="a", at=MIDNIGHT, fen=5))
    on, over = (ledger.usage(MIDNIGHT + days * DAY + tick) for tick in (0 * TICK, TICK))
    assert (on.refunds_7_days, on.refunds_30_days) == counts
    assert (over.refunds_7_days, over.refunds_30_days) == ((0, 1) if days == 7 else (0, 0))


def test_settling_refills_the_credit_line_and_gives_no_cap_back() -> None:
    granted = Ledger().told(Fact(kind="granted", after_sale_id="a", at=MIDNIGHT, fen=500))
    settled = granted.told(Fact(kind="closed", after_sale_id="a", at=MIDNIGHT + TICK))
    before, then = granted.usage(MIDNIGHT + TICK), settled.usage(MIDNIGHT + TICK)
    assert (before.unsettled_fen, before.open_cases) == (500, 1)
    assert (then.unsettled_fen, then.open_cases, then.fen_day) == (0, 0, 500)


def test_a_grant_dated_after_the_question_counts_so_that_no_clock_opens_a_cap() -> None:
    ledger = Ledger().told(Fact(kind="granted", after_sale_id="a", at=MIDNIGHT + DAY, fen=500))
    assert ledger.usage(MIDNIGHT).fen_day == 500


@given(fens=st.lists(st.integers(1, 30_000), max_size=6))
def test_after_a_grant_the_usage_is_that_of_a_ledger_that_was_told_of_it(fens: list[int]) -> None:
    usage, ledger = NOTHING_USED, Ledger()
    for i, fen in enumerate(fens):
        usage = after(usage, fen)
        ledger = ledger.told(Fact(kind="granted", after_sale_id=f"a{i}", at=MIDNIGHT, fen=fen))
    assert ledger.usage(MIDNIGHT) == usage


def test_a_ledger_forgets_what_no_window_can_see() -> None:
    ledger = Ledger()
    for n in range(400):
        ledger = ledger.told(Fact(kind="granted", after_sale_id=f"a{n}", at=MIDNIGHT + n * DAY, fen=1))
        ledger = ledger.told(Fact(kind="closed", after_sale_id=f"a{n}", at=MIDNIGHT + n * DAY))
    assert len(ledger.cases) == 32


LOSSES = st.lists(
    st.tuples(st.sampled_from([n * DAY + t for n in range(40) for t in (-TICK, 0 * TICK)]), st.integers(0, 9))
)


@settings(max_examples=200, deadline=None)
@given(
    losses=LOSSES, later=st.sampled_from([n * DAY + t for n in range(35) for t in (-TICK, 0 * TICK, TICK)])
)
def test_losses_are_summed_over_whole_days_of_shanghai(
    losses: list[tuple[timedelta, int]], later: timedelta
) -> None:
    told = [(MIDNIGHT + ago, fen) for ago, fen in losses]
    as_of = max((at for at, _ in told), default=MIDNIGHT) + later
    kept = DayLosses()
    for at, fen in told:
        kept = kept.lost(at, fen)
    today = as_of.astimezone(SHANGHAI).date()

    def lost(days: int) -> int:
        start = today - (days - 1) * DAY
        return sum(fen for at, fen in told if at.astimezone(SHANGHAI).date() >= start)

    assert kept.losses(as_of) == Losses(day=lost(1), days_7=lost(7), days_30=lost(30))
