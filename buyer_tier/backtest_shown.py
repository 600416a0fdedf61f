"""A backtest's report in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.table import Table

from backtest.page import ALONE, said

SHOWN: Final = (
    "requests",
    *("before", "auto_share_in_scope", "good_served", "hours_saved", "reviews_saved", "disputes_avoided"),
    *("loss_fen", "loss_race_fen", "loss_platform_fen", "worst_fen", "loss_rate", "worst_loss_rate"),
    *("unknown", "told", "again_of_auto", "again_of_review", "not_again_served"),
    *("abusers", "caught", "caught_by_rules", "days_until_revoked"),
    *("revocation_precision", "good_restricted"),
)


def table_of(report: dict[str, Any], rows: Sequence[tuple[str, str, str]], shown: Sequence[str]) -> Table:
    """Lay some figures of a report out, a column a policy."""
    table = Table()
    table.add_column("")
    for policy in report["policies"]:
        table.add_column(policy["version"], justify="right", overflow="fold")
    for name, words, unit in rows:
        if name in shown:
            cells = [said(policy["figures"][name], unit) for policy in report["policies"]]
            table.add_row(ALONE.get(name, words), *cells)
    return table


def lines_of(report: dict[str, Any]) -> list[str]:
    """Say who changes, what keeps the budget, and what the history cannot tell."""
    lines = []
    for swap in report["swaps"]:
        gained, lost = swap["gained"], swap["lost"]
        lines.append(
            f"{swap['after']} instead of {swap['before']}: {gained['requests']:,} more refunded at once, "
            f"{lost['requests']:,} no longer, {swap['kept']:,} as before"
        )
    if budget := report.get("budget"):
        best = budget["cheapest"]
        change = (
            f"{best['setting']} {best['before']:g} → {best['after']:g}" if best else "none of those tried"
        )
        keeps = "kept as it is" if budget["kept_already"] else f"cheapest change: {change}"
        lines.append(f"a loss budget of {budget['budget']:.1%}: {keeps}")
    return [*lines, *(f"note: {caveat}" for caveat in report["caveats"])]
