"""What a policy's own rules took away, apart from what the log's confirmations did."""

from __future__ import annotations

import pyarrow as pa
import pytest

from backtest.taken import COLUMNS, DAY_US, Taken, taken_of

SINCE, UNTIL = 100 * DAY_US, 200 * DAY_US
IDS = pa.array(["a", "b"])


def taken(*moves: tuple[int, str, str, str], buyer: str = "a") -> Taken:
    """Moves of one buyer: the day, from, to, the rule."""
    rows = [(buyer, n, day * DAY_US, *rest) for n, (day, *rest) in enumerate(moves, 1)]
    table = pa.table(
        {name: list(column) for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)}
    )
    return taken_of(table, IDS, since=SINCE, until=UNTIL)


def test_a_confirmation_of_the_log_is_no_deed_of_the_policy() -> None:
    found = taken((120, "eligible", "revoked", "abuse_confirmed"))
    assert found.ever.tolist() == [True, False]
    assert (found.by_log[0], found.revoked_by_log[0]) == (True, True)
    assert found.days.tolist() == [80.0, 0.0]


def test_whom_a_strike_restricts_first_is_caught_by_the_policy_though_the_log_confirms_later() -> None:
    found = taken((120, "watch", "restricted", "strike"), (150, "restricted", "revoked", "abuse_confirmed"))
    assert (found.by_log[0], found.revoked_by_log[0]) == (False, True)
    assert (found.at[0], found.revoked_at[0]) == (120 * DAY_US, 150 * DAY_US)
    assert found.days[0] == 80.0


def test_what_was_over_before_the_first_request_is_not_told() -> None:
    found = taken(
        (10, "eligible", "revoked", "abuse_confirmed"), (100, "revoked", "eligible", "abuse_cleared")
    )
    assert not found.ever.any()
    assert not found.revoked.any()
    assert found.days.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("cleared", "days"), [(101, 1.0), (130, 30.0)])
def test_what_began_before_the_first_request_counts_from_there_on(cleared: int, days: float) -> None:
    found = taken(
        (10, "eligible", "revoked", "abuse_confirmed"), (cleared, "revoked", "eligible", "abuse_cleared")
    )
    assert (found.ever[0], found.days[0]) == (True, days)


def test_a_note_without_a_move_and_a_buyer_who_is_not_asked_about_change_nothing() -> None:
    assert not taken((120, "eligible", "eligible", "strike")).ever.any()
    assert not taken((120, "eligible", "revoked", "strike"), buyer="z").ever.any()
