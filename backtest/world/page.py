"""One page of policies that each lived in a world: what came of them, and what a replay had foretold."""

from __future__ import annotations

from typing import Any, Final

from ..page import rendered
from ..rows import FIGURES, OF_TRUTH
from .figures import ABSENT
from .foretold import SHOWN
from .pictures import pictures

TEMPLATE: Final = "world.html.j2"
OWN: Final = {
    "auto_fen": (
        ("reviews", "left to a person, before shipment", "count"),
        ("hours_waited", "hours that buyers waited for an answer", "count"),
        ("disputes", "disputes about requests before shipment", "count"),
    ),
    "abuser_auto_fen": (
        ("new_auto_fen", "… of it to accounts opened in place of others", "yuan"),
        ("abuser_before", "requests before shipment by abusers", "count"),
        ("new_before", "… of them by accounts opened in place of others", "count"),
        ("people", "people behind the abusers' accounts", "count"),
        ("people_revoked", "… of whom an account was revoked", "count"),
        ("people_back", "… who opened another account", "count"),
        ("new_accounts", "accounts opened in place of others", "count"),
        ("person_fen", "yuan refunded at once to each person revoked, all accounts, median", "yuan"),
        ("person_days", "days from their first abuse to their last refund at once, median", "days"),
    ),
}
"""Rows that only a lived market has, after the row that they follow."""
WORDS: Final = {
    "abusers": "abusers' accounts active meanwhile",
    "caught_by_log": "… by investigators' confirmations, as under any policy",
    "fen_until_revoked": "yuan refunded at once to an account from first abuse to revocation, median",
    "unknown": "requests whose loss is not known: still open at the end",
    "good_restricted": "honest buyers restricted or revoked",
}
COMPARED: Final = (
    *("hours_waited", "reviews", "disputes", "auto_fen", "loss_fen", "abuser_before", "abuser_auto_fen"),
    *("new_accounts", "caught", "caught_by_rules", "good_restricted"),
)
"""Totals whose difference from the first policy's is shown."""
SUMMARY: Final = (
    ("good_served", "honest buyers' requests refunded at once", "share"),
    ("abuser_served", "… of active abusers", "share"),
    ("hours_waited", "hours that buyers waited", "count"),
    ("reviews", "requests left to a person", "count"),
    ("loss_fen", "known loss, yuan", "yuan"),
    ("worst_loss_rate", "lost of each yuan so refunded, at worst", "share"),
    ("abuser_auto_fen", "refunded at once to abusers, yuan", "yuan"),
    ("new_auto_fen", "… with accounts opened later", "yuan"),
    ("caught_by_rules", "their accounts stopped by its own rules", "count"),
)
"""What is said of a policy first."""
TERMINAL: Final = (
    *("before", "auto_share_in_scope", "good_served", "abuser_served", "hours_waited", "reviews"),
    *("loss_fen", "loss_race_fen", "loss_platform_fen", "loss_rate", "abuser_auto_fen", "new_auto_fen"),
    *("abusers", "caught", "caught_by_rules", "days_until_revoked", "fen_until_revoked", "person_fen"),
    *("new_accounts", "good_restricted"),
)
"""What the terminal shows."""


def rows() -> list[tuple[str, str, str]]:
    """List the figures of a world: name, words, unit."""
    found = []
    for name, words, unit in (*FIGURES, *OF_TRUTH):
        if name not in ABSENT:
            found.append((name, WORDS.get(name, words), unit))
        found += OWN.get(name, ())
    return found


def page_of(report: dict[str, Any]) -> str:
    """Render the page; everything it shows is inside it."""
    shown = rows()
    return rendered(
        TEMPLATE,
        report,
        rows=shown,
        summary=SUMMARY,
        compared=[row for name in COMPARED for row in shown if row[0] == name],
        across_rows=SUMMARY,
        foretold_rows=SHOWN,
        pictures=pictures(report),
    )
