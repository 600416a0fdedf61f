"""The standing: how it is lost, how it comes back, and what never takes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from decisions.points import total_points
from decisions.policy import NOTICE
from decisions.standing import FRESH, STRIKE_KINDS, Signal, Standing, Strike, state_of
from decisions.standing_machine import advance
from decisions.standing_policy import StrikePoints

from .scenes import GOOD, decided, failed
from .standing_scenes import DAY, POINTS, START, known, moved, path, signal, strict


def test_enough_history_makes_a_new_buyer_eligible() -> None:
    standing, transitions = moved(known(1))
    assert path(transitions) == [(1, "eligible", "enough_history")]
    assert (standing.state, standing.since, standing.until) == ("eligible", START + DAY, None)
    assert path(moved(signal("scored", 1, score=800.0, enough_history=False))[1]) == []


@pytest.mark.parametrize(
    ("strikes", "state"),
    [
        ([("cap_hit", 1)], "eligible"),
        ([("cap_hit", 1), ("cap_hit", 2)], "watch"),
        ([("dispute_lost", 1)], "watch"),
        ([("found_shipped", 1)], "restricted"),
        ([("dispute_lost", 1), ("cap_hit", 2)], "watch"),
        ([("dispute_lost", 1), ("dispute_lost", 2)], "restricted"),
        ([("found_shipped", 1), ("dispute_lost", 2), ("cap_hit", 3)], "restricted"),
        ([("found_shipped", 1), ("found_shipped", 2)], "revoked"),
    ],
)
def test_points_lead_to_each_state_at_its_threshold(strikes: list[tuple[Any, float]], state: str) -> None:
    assert moved(known(), *(signal(kind, day) for kind, day in strikes))[0].state == state


def test_without_anything_new_every_loss_comes_back_by_itself_in_the_stated_time() -> None:
    strikes = [signal("found_shipped", 1), signal("found_shipped", 2)]
    standing, transitions = moved(known(), *strikes, now=200)
    assert path(transitions) == [
        (0, "eligible", "enough_history"),
        (1, "restricted", "strike"),
        (2, "revoked", "strike"),
        (32, "probation", "term_over"),
        (72, "eligible", "term_over"),
    ]
    assert [t.until for t in transitions if t.to_state == "probation"] == [START + 72 * DAY]
    assert standing.until is None


def test_a_restriction_ends_in_a_watch_while_its_strikes_still_weigh() -> None:
    transitions = moved(known(), signal("found_shipped", 1), now=200)[1]
    assert path(transitions)[1:] == [
        (1, "restricted", "strike"),
        (21, "watch", "term_over"),
        (61, "eligible", "term_over"),
    ]


@pytest.mark.parametrize(("now", "state"), [(20.999999, "restricted"), (21, "watch"), (60.999999, "watch")])
def test_a_term_ends_at_its_instant_and_not_before(now: float, state: str) -> None:
    assert moved(known(), signal("found_shipped", 1), now=now)[0].state == state


def test_a_watch_lasts_its_least_time_and_until_the_points_are_below() -> None:
    short = strict(strike_expires_days=3.0)
    assert path(moved(known(), signal("dispute_lost", 1), policy=short, now=99)[1])[1:] == [
        (1, "watch", "strike"),
        (11, "eligible", "term_over"),
    ]
    halving = strict(strike_expires_days=None, strike_half_life_days=15.0)
    assert path(moved(known(), signal("dispute_lost", 1), policy=halving, now=99)[1])[1:] == [
        (1, "watch", "strike"),
        (16, "eligible", "term_over"),
    ]


@pytest.mark.parametrize(("second", "state"), [(15.999, "restricted"), (16, "watch")])
def test_strikes_halve_at_each_half_life(second: float, state: str) -> None:
    halving = strict(strike_expires_days=None, strike_half_life_days=15.0)
    strikes = [signal("dispute_lost", 1), signal("dispute_lost", second)]
    assert moved(known(), *strikes, policy=halving)[0].state == state


@pytest.mark.parametrize(("days", "points"), [(9, 1000 / 512), (9.999, 1000 / 512), (10, 0.0)])
def test_after_the_tenth_half_life_nothing_is_left(days: float, points: float) -> None:
    daily = strict(strike_expires_days=None, strike_half_life_days=1.0).standing
    strike = Strike(signal_id="s", kind="dispute_lost", at=START, points=1000)
    assert total_points([strike], START + days * DAY, daily) == points


@pytest.mark.parametrize(("second", "state"), [(60.999, "restricted"), (61, "watch")])
def test_strikes_expire(second: float, state: str) -> None:
    strikes = [signal("dispute_lost", 1), signal("dispute_lost", second)]
    standing, _ = moved(known(), *strikes)
    assert standing.state == state


class TestWarning:
    careful = strict(warning_grace_hours=24.0)

    def test_a_burst_before_the_warning_can_be_read_only_warns(self) -> None:
        burst = [signal("found_shipped", 1 + n / 24, name=f"s{n}") for n in range(5)]
        standing, transitions = moved(known(), *burst, policy=self.careful)
        assert path(transitions)[1:] == [(1, "watch", "strike")]
        assert standing.warned_at == START + DAY

    @pytest.mark.parametrize(("day", "state"), [(1.999, "watch"), (2, "restricted")])
    def test_a_strike_after_the_grace_takes_away(self, day: float, state: str) -> None:
        strikes = [signal("dispute_lost", 1), signal("dispute_lost", day)]
        assert moved(known(), *strikes, policy=self.careful)[0].state == state

    def test_what_was_done_before_the_warning_and_heard_of_later_only_warns(self) -> None:
        late = signal("dispute_lost", 9, occurred_at=START + DAY)
        assert moved(known(), signal("dispute_lost", 1), late, policy=self.careful)[0].state == "watch"

    def test_a_policy_without_a_watch_threshold_still_warns_first(self) -> None:
        careful = strict(warning_grace_hours=24.0, watch_points=None)
        assert moved(known(), signal("found_shipped", 1), policy=careful)[0].state == "watch"

    def test_confirmed_abuse_needs_no_warning(self) -> None:
        assert moved(known(), signal("abuse_confirmed", 1), policy=self.careful)[0].state == "revoked"

    def test_a_restriction_was_warning_enough(self) -> None:
        strikes = [signal("dispute_lost", 1), signal("dispute_lost", 3), signal("found_shipped", 3.1)]
        assert moved(known(), *strikes, policy=self.careful)[0].state == "revoked"


class TestLinks:
    def test_a_link_alone_never_does_anything(self) -> None:
        links = [signal("linked_abuse", n, reference=f"peer{n}") for n in range(1, 20)]
        assert moved(known(), *links)[0].state == "eligible"
        assert moved(known(), *links, policy=strict(watch_points=1))[0].state == "eligible"

    def test_beside_own_points_a_link_weighs_at_most_as_much(self) -> None:
        links = [signal("linked_abuse", n, reference=f"peer{n}") for n in (1, 2, 3)]
        assert moved(known(), *links, signal("cap_hit", 4))[0].state == "watch"
        assert moved(known(), *links, signal("dispute_lost", 4))[0].state == "restricted"
        assert (
            moved(known(), *links, signal("cap_hit", 4), policy=strict(watch_points=3))[0].state == "eligible"
        )

    def test_a_link_does_not_break_probation(self) -> None:
        strikes = [signal("found_shipped", 1), signal("found_shipped", 2), signal("linked_abuse", 40)]
        assert moved(known(), *strikes)[0].state == "probation"

    def test_a_peer_that_is_cleared_weighs_nothing_any_more(self) -> None:
        linked = [
            signal("linked_abuse", 1, reference="p"),
            signal("linked_abuse", 1, name="x", reference="q"),
        ]
        standing, transitions = moved(known(), *linked, signal("link_cleared", 2, reference="p"))
        assert [s.reference for s in standing.strikes if s.points] == ["q"]
        assert transitions[-1].rule == "link_cleared"
        again = signal("linked_abuse", 1, reference="p")
        assert moved(again, standing=standing, now=3) == (standing, ())
        anew, _ = moved(signal("linked_abuse", 4, reference="p"), standing=standing)
        assert [s.reference for s in anew.strikes if s.points] == ["q", "p"]


def test_only_one_cap_hit_a_day_of_shanghai_counts() -> None:
    hits = [signal("cap_hit", 1 + n / 100, name=f"h{n}") for n in range(5)]
    assert len(moved(known(), *hits)[0].strikes) == 1
    before, midnight = signal("cap_hit", 1 + 15.999 / 24), signal("cap_hit", 1 + 16 / 24)
    assert len(moved(known(), before, midnight)[0].strikes) == 2


class TestScore:
    scored = strict(watch_below_score=700.0, watch_hysteresis_points=20.0)

    @pytest.mark.parametrize(("score", "state"), [(700.0, "eligible"), (699.9, "watch")])
    def test_a_low_score_warns(self, score: float, state: str) -> None:
        assert moved(known(), known(1, score), policy=self.scored)[0].state == state

    @pytest.mark.parametrize(("score", "state"), [(719.9, "watch"), (720.0, "eligible")])
    def test_the_watch_ends_only_beyond_the_hysteresis(self, score: float, state: str) -> None:
        readings = [known(), known(1, 699.0), known(12, score)]
        assert moved(*readings, policy=self.scored, now=13)[0].state == state

    def test_a_recovered_score_ends_the_watch_after_its_least_time(self) -> None:
        readings = [known(), known(1, 699.0), known(2, 720.0)]
        assert path(moved(*readings, policy=self.scored, now=20)[1])[1:] == [
            (1, "watch", "score_low"),
            (11, "eligible", "term_over"),
        ]

    def test_an_older_reading_that_comes_late_changes_nothing(self) -> None:
        standing, _ = moved(known(), known(5, 699.0), policy=self.scored)
        assert moved(known(4, 800.0), standing=standing, policy=self.scored, now=6) == (standing, ())

    def test_a_score_alone_takes_nothing_away(self) -> None:
        assert (
            moved(known(), *(known(n, 300.0) for n in range(1, 50)), policy=self.scored)[0].state == "watch"
        )

    def test_the_score_of_a_buyer_without_history_is_not_looked_at(self) -> None:
        low = signal("scored", 1, score=300.0, enough_history=False)
        assert moved(low, policy=self.scored)[0].state == "new"


def test_a_strike_that_comes_late_takes_effect_at_the_last_change() -> None:
    standing, _ = moved(known(), signal("dispute_lost", 5))
    (transition,) = moved(signal("dispute_lost", 2), standing=standing, now=6)[1]
    assert (transition.at, transition.to_state) == (START + 5 * DAY, "restricted")
    assert transition.strike is not None
    assert transition.strike.at == START + 2 * DAY


def test_a_strike_on_probation_revokes_again() -> None:
    strikes = [signal("found_shipped", 1), signal("found_shipped", 2), signal("cap_hit", 40)]
    standing, transitions = moved(known(), *strikes)
    assert path(transitions)[-1] == (40, "revoked", "probation_broken")
    assert standing.until == START + 70 * DAY


def test_a_strike_while_restricted_makes_the_restriction_longer() -> None:
    standing, transitions = moved(known(), signal("found_shipped", 1), signal("cap_hit", 5))
    assert (standing.since, standing.until) == (START + DAY, START + 25 * DAY)
    assert transitions[-1].from_state == transitions[-1].to_state == "restricted"


class TestAbuse:
    @pytest.mark.parametrize("policy", [NOTICE, strict()])
    def test_confirmed_abuse_revokes_and_clearing_restores_at_once_under_every_policy(
        self, policy: Any
    ) -> None:
        verdicts = [known(), signal("abuse_confirmed", 1), signal("abuse_cleared", 5)]
        standing, transitions = moved(*verdicts, policy=policy)
        assert path(transitions)[1:] == [(1, "revoked", "abuse_confirmed"), (5, "eligible", "abuse_cleared")]
        assert not standing.abuse

    def test_it_does_not_end_by_time(self) -> None:
        assert moved(known(), signal("abuse_confirmed", 1), now=3000)[0].state == "revoked"

    def test_clearing_goes_back_to_the_state_beneath(self) -> None:
        beneath = [known(), signal("found_shipped", 1)]
        standing, _ = moved(*beneath, signal("abuse_confirmed", 2), signal("abuse_cleared", 3))
        assert (standing.state, standing.until) == ("restricted", START + 21 * DAY)
        later = moved(*beneath, signal("abuse_confirmed", 2), signal("abuse_cleared", 30))[1]
        assert path(later)[2:] == [
            (2, "revoked", "abuse_confirmed"),
            (30, "restricted", "abuse_cleared"),
            (30, "watch", "term_over"),
        ]

    def test_an_operators_revocation_outlives_the_clearing(self) -> None:
        person = signal("operator_revoked", 3, actor="ops", reason="farm")
        verdicts = [known(), signal("abuse_confirmed", 1), person, signal("abuse_cleared", 5)]
        assert moved(*verdicts, now=900)[0].state == "revoked"

    @pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (2, 1, 0), (1, 2, 0)])
    def test_the_last_verdict_counts_in_whichever_order_they_come(self, order: tuple[int, ...]) -> None:
        verdicts = [
            signal("abuse_confirmed", 1),
            signal("abuse_cleared", 2),
            signal("abuse_confirmed", 3, name="again"),
        ]
        for last in (2, 3):
            standing = FRESH
            for i in (i for i in order if i < last):
                standing, _ = advance(standing, [verdicts[i]], strict(), START + 9 * DAY)
            assert standing.abuse == (last == 3)

    def test_verdicts_of_one_instant_count_by_when_they_happened_then_by_id(self) -> None:
        confirmed = signal("abuse_confirmed", 1, name="b", occurred_at=START)
        for name, occurred, abuse in (("a", START, True), ("c", START, False), ("a", START + DAY, False)):
            cleared = signal("abuse_cleared", 1, name=name, occurred_at=occurred)
            assert moved(confirmed, cleared)[0].abuse == abuse


def test_under_the_notice_nothing_but_confirmed_abuse_costs_eligibility() -> None:
    others = [signal(kind, n) for n, kind in enumerate(STRIKE_KINDS, start=1)]
    standing, transitions = moved(known(), *others, known(9, 300.0), policy=NOTICE, now=900)
    assert path(transitions) == [(0, "eligible", "enough_history")]
    assert standing.strikes == ()


@pytest.mark.parametrize("kind", STRIKE_KINDS)
def test_each_signal_weighs_what_the_policy_gives_it(kind: Any) -> None:
    weighed = strict(points=replace(StrikePoints(), **{kind: 7}), watch_points=1)
    standing, _ = moved(known(), signal(kind, 1), policy=weighed)
    assert [s.points for s in standing.strikes] == [7]
    assert moved(known(), *(signal(k, 1) for k in STRIKE_KINDS if k != kind), policy=weighed)[0].strikes == ()


@pytest.mark.parametrize(
    ("state", "passes"),
    [
        ("new", True),
        ("eligible", True),
        ("watch", True),
        ("probation", True),
        ("restricted", False),
        ("revoked", False),
    ],
)
def test_only_the_restricted_and_the_revoked_are_held(state: Any, passes: bool) -> None:
    decision = decided(standing=Standing(state=state))
    assert failed(decision) == (set() if passes else {"standing"})
    assert decision.standing == ("eligible" if state == "new" else state)


def test_a_confirmation_in_the_events_revokes_whatever_the_record_says() -> None:
    abuser = replace(GOOD, abuse_confirmed=True)
    assert state_of(abuser, NOTICE, Standing(state="probation")) == "revoked"
    assert failed(decided(buyer=abuser, standing=Standing(state="watch"))) == {"standing"}


def test_every_transition_says_why_by_whom_until_when_and_the_way_back() -> None:
    strike = signal("found_shipped", 1, reference="AS-7", fen=12_900)
    (*_, transition) = moved(known(), strike)[1]
    assert dict(transition.evidence) == {
        "kind": "found_shipped", "points": 4, "total": 4.0, "reference": "AS-7", "fen": 12_900
    }  # fmt: skip
    assert (transition.rule, transition.policy_version, transition.actor) == (
        "strike",
        "strict-1",
        "platform",
    )
    assert transition.until == START + 21 * DAY
    assert "2026-01-22" in transition.way_back.zh
    assert "2026-01-22" in transition.way_back.en


def test_the_way_back_is_dated_by_the_calendar_of_shanghai() -> None:
    evening = replace(signal("operator_restricted", 1), until=START + 5 * DAY + 2 * DAY / 3)
    assert "2026-01-07" in moved(known(), evening)[1][-1].way_back.en


def test_points_are_declared_for_every_kind_of_strike() -> None:
    assert set(StrikePoints.__slots__) == set(STRIKE_KINDS)
    assert all(getattr(POINTS, kind) > 0 for kind in STRIKE_KINDS)
    assert isinstance(signal("cap_hit", 1), Signal)
