"""What the event log and decisions tell the standing."""

from __future__ import annotations

from typing import Any

import pytest

from decisions.caps import Usage
from decisions.limits import Caps, OpenCases
from decisions.policy import NOTICE, Policy
from decisions.signals import signal_of_event, signals_of_decision

from .scenes import GOOD, NOW, REQUEST, decided
from .standing_scenes import moved, strict


def told(kind: str, **said: Any) -> str | None:
    signal = signal_of_event(kind, event_id="e1", recorded_at=NOW, occurred_at=NOW, **said)
    return None if signal is None else signal.kind


@pytest.mark.parametrize(
    ("kind", "said", "signal"),
    [
        ("abuse_confirmed", {}, "abuse_confirmed"),
        ("abuse_cleared", {}, "abuse_cleared"),
        ("dispute_closed", {"outcome": "merchant"}, "dispute_lost"),
        ("dispute_closed", {"outcome": "merchant", "fault": "buyer"}, "dispute_lost"),
        ("dispute_closed", {"outcome": "buyer"}, None),
        ("dispute_closed", {"outcome": "merchant", "fault": "shop"}, None),
        ("refund_found_shipped", {}, "found_shipped"),
        ("refund_found_shipped", {"fault": "buyer"}, "found_shipped"),
        ("refund_found_shipped", {"fault": "shop"}, None),
        ("refund_found_shipped", {"fault": "carrier"}, None),
        ("refund_found_shipped", {"fault": "platform"}, None),
        ("refund_found_shipped", {"fault": "none"}, None),
        ("abuse_confirmed", {"fault": "none"}, "abuse_confirmed"),
        ("peer_abuse_confirmed", {"reference": "b9"}, "linked_abuse"),
        ("peer_abuse_cleared", {"reference": "b9"}, "link_cleared"),
        ("order_paid", {}, None),
    ],
)
def test_an_event_is_a_signal_unless_others_were_at_fault(
    kind: str, said: dict[str, Any], signal: str | None
) -> None:
    assert told(kind, **said) == signal


def test_a_decision_tells_the_score_that_was_read() -> None:
    (read,) = signals_of_decision(decided(), request=REQUEST, buyer=GOOD, policy=NOTICE, decided_at=NOW)
    assert (read.kind, read.score, read.enough_history, read.at) == ("scored", 800.0, True, NOW)


def test_a_cap_that_was_hit_is_told_and_an_open_case_is_not() -> None:
    policy = Policy(version="c", caps=Caps(refunds_per_day=1), open_cases=OpenCases(one_at_a_time=True))
    for usage, kinds in (
        (Usage(refunds_day=1), ["cap_hit", "scored"]),
        (Usage(open_cases=1), ["scored"]),
        (Usage(), ["scored"]),
    ):
        decision = decided(policy=policy, usage=usage)
        told = signals_of_decision(decision, request=REQUEST, buyer=GOOD, policy=policy, decided_at=NOW)
        assert [s.kind for s in told] == kinds


def test_a_decision_told_twice_counts_once() -> None:
    policy = Policy(version="c", caps=Caps(refunds_per_day=0))
    told = signals_of_decision(
        decided(policy=policy), request=REQUEST, buyer=GOOD, policy=policy, decided_at=NOW
    )
    standing, transitions = moved(*told, policy=strict())
    assert [t.rule for t in transitions] == ["strike", "enough_history"]
    assert moved(*told, standing=standing, policy=strict()) == (standing, ())
