"""Operators and appeals: what people may do to a standing, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from decisions.people import objection
from decisions.standing import FRESH, Standing

from .standing_scenes import DAY, START, known, moved, path, signal

REVOKED = (known(), signal("found_shipped", 1), signal("found_shipped", 2))


@pytest.mark.parametrize(
    ("kind", "state", "led_to"),
    [
        ("operator_warned", "eligible", "watch"),
        ("operator_restricted", "eligible", "restricted"),
        ("operator_restricted", "watch", "restricted"),
        ("operator_restricted", "restricted", "restricted"),
        ("operator_restricted", "probation", "restricted"),
        ("operator_revoked", "eligible", "revoked"),
        ("operator_revoked", "restricted", "revoked"),
        ("operator_revoked", "probation", "revoked"),
        ("operator_reinstated", "watch", "eligible"),
        ("operator_reinstated", "probation", "eligible"),
        ("operator_reinstated", "restricted", "probation"),
        ("operator_reinstated", "revoked", "probation"),
    ],
)
def test_an_operator_moves_a_buyer(kind: Any, state: Any, led_to: str) -> None:
    until = None if state in ("eligible", "revoked") else START + 50 * DAY
    before = Standing(state=state, until=until, enough_history=True, changed_at=START)
    action = signal(kind, 1, actor="key-7", reason="seen by a person")
    after, transitions = moved(action, standing=before)
    assert after.state == led_to
    assert (transitions[-1].actor, transitions[-1].rule) == ("key-7", "operator")
    assert dict(transitions[-1].evidence) == {"reason": "seen by a person"}


def test_an_operators_revocation_stands_until_a_person_ends_it() -> None:
    standing, _ = moved(known(), signal("operator_revoked", 1), now=3000)
    assert (standing.state, standing.until) == ("revoked", None)


def test_an_operator_makes_a_revocation_with_a_term_one_without() -> None:
    standing, _ = moved(*REVOKED, signal("operator_revoked", 3), now=3000)
    assert (standing.state, standing.until) == ("revoked", None)


def test_a_restriction_ends_when_the_operator_says() -> None:
    action = signal("operator_restricted", 1, until=START + 3 * DAY)
    assert path(moved(known(), action, now=9)[1])[1:] == [
        (1, "restricted", "operator"),
        (3, "eligible", "term_over"),
    ]


@pytest.mark.parametrize(
    ("kind", "before", "why"),
    [
        ("operator_warned", Standing(state="watch"), "watch already"),
        ("operator_restricted", Standing(state="revoked"), "reinstate first"),
        ("operator_revoked", Standing(state="revoked"), "revoked already"),
        ("operator_revoked", Standing(state="revoked", abuse=True, held="revoked"), "revoked already"),
        ("operator_reinstated", FRESH, "nothing to give back"),
        ("operator_reinstated", Standing(state="revoked", abuse=True), "abuse is confirmed"),
        ("appeal_filed", Standing(state="eligible"), "nothing to appeal"),
        ("appeal_filed", Standing(state="revoked", appeal="A1"), "A1 is still open"),
        ("appeal_granted", Standing(state="revoked"), "no appeal is open"),
        ("appeal_rejected", Standing(state="revoked"), "no appeal is open"),
        ("appeal_granted", Standing(state="revoked", appeal="A1"), "the open appeal is A1"),
    ],
)
def test_an_action_without_effect_is_refused_with_the_reason(kind: Any, before: Standing, why: str) -> None:
    action = signal(kind, 1, reference="A2")
    assert why in (objection(before, action) or "")
    assert moved(action, standing=before) == (before, ())


def test_an_action_decided_before_the_standing_last_changed_is_refused() -> None:
    standing, _ = moved(known(), signal("operator_restricted", 5))
    late = signal("operator_reinstated", 4)
    assert "look again" in (objection(standing, late) or "")
    assert moved(late, standing=standing, now=6) == (standing, ())


def test_a_restriction_that_ends_before_it_begins_is_refused() -> None:
    action = signal("operator_restricted", 1, until=START + DAY)
    assert "before it began" in (objection(FRESH, action) or "")


class TestAppeal:
    filed = signal("appeal_filed", 3, reference="A1", actor="support")

    def test_filing_is_noted_and_moves_nothing(self) -> None:
        standing, transitions = moved(*REVOKED, self.filed)
        assert (standing.state, standing.appeal) == ("revoked", "A1")
        assert transitions[-1].rule == "appeal_filed"

    def test_an_appeal_without_a_name_is_known_by_its_signal(self) -> None:
        standing, _ = moved(*REVOKED, signal("appeal_filed", 3, name="S9"))
        assert standing.appeal == "S9"

    def test_an_overturned_revocation_restores_at_once_and_becomes_a_label(self) -> None:
        granted = signal("appeal_granted", 4, reference="A1", actor="judge", reason="parcel had not left")
        standing, transitions = moved(*REVOKED, self.filed, granted, now=900)
        assert path(transitions)[-1] == (4, "eligible", "appeal_granted")
        assert transitions[-1].label == "abuse_cleared"
        assert (standing.strikes, standing.appeal, standing.abuse) == ((), None, False)

    def test_so_does_one_for_confirmed_abuse_and_an_older_verdict_that_comes_late_is_passed_over(
        self,
    ) -> None:
        signals = [known(), signal("abuse_confirmed", 1), self.filed, signal("appeal_granted", 4)]
        standing, transitions = moved(*signals)
        assert (standing.state, transitions[-1].label) == ("eligible", "abuse_cleared")
        late = signal("abuse_confirmed", 2, name="late")
        assert moved(late, standing=standing, now=9) == (standing, ())
        told, noted = moved(signal("abuse_cleared", 4.1), standing=standing)
        assert (told.state, path(noted)) == ("eligible", [])

    def test_a_granted_appeal_against_a_restriction_is_no_label(self) -> None:
        signals = [known(), signal("found_shipped", 1), self.filed, signal("appeal_granted", 4)]
        standing, transitions = moved(*signals, now=30)
        assert (standing.state, transitions[-1].label) == ("eligible", None)

    def test_a_rejected_appeal_leaves_all_as_it_is_and_another_may_be_filed(self) -> None:
        rejected = signal("appeal_rejected", 4, reference="A1")
        standing, _ = moved(*REVOKED, self.filed, rejected)
        assert (standing.state, standing.appeal, standing.until) == ("revoked", None, START + 32 * DAY)
        assert objection(standing, signal("appeal_filed", 5)) is None

    def test_a_forgiven_strike_that_is_told_again_stays_forgiven(self) -> None:
        standing, _ = moved(*REVOKED, self.filed, signal("appeal_granted", 4))
        assert moved(*REVOKED, standing=standing, now=5) == (standing, ())

    def test_after_a_granted_appeal_new_strikes_count_from_nothing(self) -> None:
        granted = signal("appeal_granted", 4)
        standing, _ = moved(*REVOKED, self.filed, granted, signal("dispute_lost", 5))
        assert standing.state == "watch"


def test_the_same_action_twice_is_done_once() -> None:
    action = signal("operator_reinstated", 3)
    standing, _ = moved(*REVOKED, action)
    assert moved(action, standing=standing, now=4) == (standing, ())
    assert objection(standing, action) == "this action was taken before"
