"""Laws of the standing's machine that hold for every history."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.policy import NOTICE, Policy
from decisions.standing import FRESH, Signal, Standing, Transition
from decisions.standing_events import as_event, as_record, folded, from_event, from_record, rebuild
from decisions.standing_machine import advance

from .naive_standing import Naive, day_of
from .standing_scenes import DAY, START, known, moved, signal, strict

KINDS = (
    "abuse_confirmed", "abuse_cleared", "dispute_lost", "found_shipped", "cap_hit", "linked_abuse",
    "link_cleared", "scored",
    "operator_warned", "operator_restricted", "operator_revoked", "operator_reinstated",
    "appeal_filed", "appeal_rejected", "appeal_granted",
)  # fmt: skip
POLICIES = [
    NOTICE,
    strict(),
    strict(warning_grace_hours=24.0, watch_below_score=700.0, watch_hysteresis_points=50.0),
    strict(strike_half_life_days=7.0, strike_expires_days=None, revoke_days=None, watch_days=0.0),
    strict(strike_half_life_days=7.0, strike_expires_days=30.0, restrict_points=None, watch_points=None),
]


@st.composite
def a_signal(draw: st.DrawFn) -> Signal:
    kind: Any = draw(st.sampled_from(KINDS))
    day = draw(st.integers(0, 120)) + draw(st.sampled_from([0, 0.5, 15.999 / 24, 2 / 3]))
    at = START + timedelta(microseconds=round(day * 86_400_000_000))
    return Signal(
        signal_id=f"s{draw(st.integers(0, 30))}",
        kind=kind,
        at=at,
        occurred_at=draw(st.sampled_from([None, START])),
        actor=draw(st.sampled_from(["platform", "key-1"])),
        reference=draw(st.sampled_from([None, "r1", "r2"])),
        score=draw(st.sampled_from([None, 650.0, 720.0, 800.0])) if kind == "scored" else None,
        enough_history=draw(st.sampled_from([None, True, True, False])) if kind == "scored" else None,
        until=at + draw(st.integers(-1, 40)) * DAY
        if kind == "operator_restricted" and draw(st.booleans())
        else None,
    )


HISTORIES = st.lists(a_signal(), max_size=10, unique_by=lambda s: s.signal_id)
POLICY = st.sampled_from(POLICIES)
END = START + 400 * DAY


def the_bytes(standing: Standing, transitions: tuple[Transition, ...] = ()) -> str:
    return json.dumps([as_record(standing), [as_event(t) for t in transitions]])


@settings(max_examples=100, deadline=None)
@given(signals=HISTORIES, policy=POLICY, cuts=st.lists(st.integers(0, 14), max_size=4), lag=st.integers(0, 3))
def test_how_signals_are_cut_into_calls_changes_nothing(
    signals: list[Signal], policy: Policy, cuts: list[int], lag: int
) -> None:
    ordered = sorted(signals, key=lambda s: s.place)
    whole, together = advance(FRESH, ordered, policy, END)
    standing, parts = FRESH, []
    edges = sorted({0, *(min(c, len(ordered)) for c in cuts), len(ordered)})
    for start, end in pairwise(edges):
        now = (
            ordered[end - 1].at
            + lag * (ordered[end].at - ordered[end - 1].at if end < len(ordered) else DAY) / 3
        )
        standing, made = advance(standing, ordered[start:end], policy, now)
        parts += made
    standing, made = advance(standing, (), policy, END)
    assert the_bytes(standing, (*parts, *made)) == the_bytes(whole, together)


@settings(max_examples=100, deadline=None)
@given(signals=HISTORIES, policy=POLICY, seed=st.integers(0, 99))
def test_the_order_and_the_number_of_tellings_within_a_call_change_nothing(
    signals: list[Signal], policy: Policy, seed: int
) -> None:
    twice = random.Random(seed).sample(signals * 2, 2 * len(signals))
    assert the_bytes(*advance(FRESH, twice, policy, END)) == the_bytes(*advance(FRESH, signals, policy, END))


@settings(max_examples=100, deadline=None)
@given(signals=HISTORIES, policy=POLICY)
def test_signals_told_again_later_change_nothing(signals: list[Signal], policy: Policy) -> None:
    first, _ = advance(FRESH, signals, policy, END)
    again, transitions = advance(first, signals, policy, END)
    assert (the_bytes(again), transitions) == (the_bytes(first), ())


@settings(max_examples=100, deadline=None)
@given(signals=HISTORIES, policy=POLICY, seed=st.integers(0, 99))
def test_a_standing_is_rebuilt_from_its_events_to_the_byte(
    signals: list[Signal], policy: Policy, seed: int
) -> None:
    """Also when signals came late, one by one: what happened is in the events."""
    standing, events = FRESH, []
    for late in random.Random(seed).sample(signals, len(signals)):
        standing, transitions = advance(standing, [late], policy, START + 60 * DAY)
        events += [json.loads(json.dumps(as_event(t))) for t in transitions]
    assert the_bytes(rebuild(events)) == the_bytes(standing)
    assert the_bytes(from_record(json.loads(json.dumps(as_record(standing))))) == the_bytes(standing)
    assert [as_event(from_event(e)) for e in events] == events
    assert [e["version"] for e in events] == list(range(1, standing.version + 1))


@settings(max_examples=100, deadline=None)
@given(signals=HISTORIES, policy=POLICY, late=a_signal())
def test_a_late_signal_rewrites_nothing_and_takes_effect_at_the_last_change(
    signals: list[Signal], policy: Policy, late: Signal
) -> None:
    before, _ = advance(FRESH, signals, policy, START + 130 * DAY)
    after, transitions = advance(before, [replace(late, signal_id="late")], policy, START + 130 * DAY)
    effective = late.at if before.changed_at is None else max(late.at, before.changed_at)
    assert all(t.at >= effective for t in transitions)
    assert after.version == before.version + len(transitions)


@settings(max_examples=100, deadline=None)
@given(signals=HISTORIES)
def test_under_the_notice_only_abuse_and_people_ever_move_a_known_buyer(signals: list[Signal]) -> None:
    ids = {s.signal_id: s.kind for s in signals}
    standing, transitions = advance(FRESH, [known(), *signals], NOTICE, END)
    for t in transitions:
        if t.to_state not in (t.from_state, "new", "eligible"):
            assert t.rule == "term_over" or ids[t.signal_id or ""].startswith(("abuse", "operator"))
    assert standing.strikes == ()


@st.composite
def on_whole_days(draw: st.DrawFn) -> list[Signal]:
    kinds = st.sampled_from(
        ["dispute_lost", "found_shipped", "cap_hit", "cap_hit", "abuse_confirmed", "abuse_cleared"]
    )
    days = draw(st.lists(st.integers(1, 100), max_size=16))
    drawn: list[Any] = [(day, draw(kinds)) for day in days]
    return [signal(kind, day, name=f"{n:02}") for n, (day, kind) in enumerate(drawn)]


@settings(max_examples=200, deadline=None)
@given(
    signals=on_whole_days(),
    policy=st.sampled_from([p for p in POLICIES if p is not NOTICE]),
    end=st.integers(100, 300),
)
def test_the_machine_goes_where_a_day_by_day_loop_goes(
    signals: list[Signal], policy: Policy, end: int
) -> None:
    naive = Naive(policy.standing)
    for day in range(end + 1):
        naive.end_terms(day)
        for heard in sorted((s for s in signals if day_of(s) == day), key=lambda s: s.place):
            naive.hear(heard, day)
            naive.end_terms(day)
    standing, _ = moved(known(), *signals, policy=policy, now=end)
    until = None if naive.until is None else START + naive.until * DAY
    assert (standing.state, standing.until, standing.abuse) == (naive.state, until, naive.abuse)


def test_an_event_that_is_missing_twice_or_out_of_order_is_noticed() -> None:
    _, (first, second, third) = moved(known(), signal("found_shipped", 1), signal("found_shipped", 2))
    events = [as_event(t) for t in (first, second, third)]
    for wrong in ([events[0], events[2]], [events[1]], [events[0], events[0]], events[::-1]):
        with pytest.raises(ValueError, match="does not follow"):
            rebuild(wrong)
    assert folded(FRESH, first).version == 1
