"""The page on standing draws what the machine does."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

import pytest

from decisions.standing import OPERATOR_KINDS, SignalKind, State

from .standing_scenes import known, moved, path, signal, strict

PAGE = (Path(__file__).parents[2] / "docs" / "standing.md").read_text("utf-8")
REVOKED = [known(), signal("found_shipped", 1), signal("found_shipped", 2)]
WARNED = [known(), signal("dispute_lost", 1)]
ARROWS: dict[tuple[str, str], list[Any]] = {
    ("new", "eligible"): [known()],
    ("eligible", "watch"): WARNED,
    ("watch", "eligible"): WARNED,
    ("watch", "restricted"): [*WARNED, signal("dispute_lost", 3)],
    ("watch", "revoked"): [*WARNED, *(signal("found_shipped", 3, name=n) for n in "ab")],
    ("restricted", "watch"): [known(), signal("found_shipped", 1)],
    ("restricted", "eligible"): [known(), signal("operator_restricted", 1)],
    ("restricted", "revoked"): REVOKED,
    ("eligible", "restricted"): [known(), signal("found_shipped", 1)],
    ("eligible", "revoked"): [known(), signal("abuse_confirmed", 1)],
    ("revoked", "probation"): REVOKED,
    ("probation", "eligible"): REVOKED,
    ("probation", "revoked"): [*REVOKED, signal("cap_hit", 40)],
    ("revoked", "eligible"): [known(), signal("abuse_confirmed", 1), signal("abuse_cleared", 2)],
}


def test_the_diagram_has_these_arrows_and_no_others() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+):", PAGE, re.MULTILINE))
    assert drawn == set(ARROWS)


@pytest.mark.parametrize("arrow", list(ARROWS), ids=" to ".join)
def test_every_arrow_is_a_way_that_the_machine_goes(arrow: tuple[str, str]) -> None:
    straight = {"restrict_points": None, "revoke_points": 6} if arrow == ("watch", "revoked") else {}
    states = [
        "new",
        *(state for _, state, _ in path(moved(*ARROWS[arrow], policy=strict(**straight), now=400)[1])),
    ]
    assert arrow in list(pairwise(states))


def test_the_page_names_every_state_and_every_signal() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert set(get_args(State)) <= named
    assert set(get_args(SignalKind)) <= named
    assert set(OPERATOR_KINDS) <= named
