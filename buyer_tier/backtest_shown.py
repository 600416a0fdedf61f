"""A backtest's report in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rich.table import Table

from backtest.in_short import in_short
from backtest.rows import ALONE
from backtest.wording import said, value

MOST_WITH_INTERVALS: Final = 2
MOST_COLUMNS: Final = 4
SHOWN: Final = (
    "requests",
    *("before", "auto_share_in_scope", "good_served", "hours_saved", "reviews_saved", "disputes_avoided"),
    *("loss_fen", "loss_race_fen", "loss_platform_fen", "worst_fen", "loss_rate", "worst_loss_rate"),
    *("unknown", "told", "again_of_auto", "again_of_review", "not_again_served"),
    *("abusers", "caught", "caught_by_rules", "days_until_revoked"),
    *("revocation_precision", "good_restricted"),
)


def tables_of(
    report: dict[str, Any], rows: Sequence[tuple[str, str, str]], shown: Sequence[str]
) -> Iterator[Table]:
    """Lay some figures of a report out, a column a policy; of many policies side by side no intervals."""
    policies = report["policies"]
    wide = len(policies) > MOST_WITH_INTERVALS
    for start in range(0, len(policies), MOST_COLUMNS):
        some = policies[start : start + MOST_COLUMNS]
        table = Table(caption="intervals: on the page" if wide else None)
        table.add_column("", min_width=24)
        for policy in some:
            table.add_column(policy["version"], justify="right", overflow="fold")
        for name, words, unit in rows:
            if name in shown:
                told = [policy["figures"][name] for policy in some]
                cells = [value(one["value"], unit) if wide else said(one, unit) for one in told]
                table.add_row(ALONE.get(name, words), *cells)
        yield table


def lines_of(report: dict[str, Any]) -> list[str]:
    """Say who changes, what keeps the budget, and what the history cannot tell."""
    lines, swaps = [], {swap["after"]: swap for swap in report["swaps"]}
    for one in in_short(report):
        said_of = [] if one["verdict"] is None else [one["verdict"]]
        if swap := swaps.get(one["version"]):
            gained, lost = swap["gained"], swap["lost"]
            said_of.append(
                f"{gained['requests']:,} more refunded at once, {lost['requests']:,} no longer, "
                f"{swap['kept']:,} as before"
            )
        if said_of:
            lines.append(f"{one['version']} instead of {one['before']}: {'; '.join(said_of)}")
    if budget := report.get("budget"):
        best = budget["cheapest"]
        change = (
            f"{best['setting']} {best['before']:,.10g} → {best['after']:,.10g}"
            if best
            else "none of those tried"
        )
        keeps = "kept as it is" if budget["kept_already"] else f"cheapest change: {change}"
        lines.append(f"a loss budget of {budget['budget']:.1%}: {keeps}")
    return [*lines, *(f"note: {caveat}" for caveat in report["caveats"])]
