"""What the replay came to, as a table for people and as numbers for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from statistics import median

from rich.table import Table

from .after_sale import Answer

WORDS = {
    "refund_only": "a return, not a refund only",
    "goods_type": "virtual or customized goods",
    "amount_below_cap": "300 yuan or more",
    "unshipped": "already shipped",
    "agrees_with_history": "contradicts the event log",
    "request_time": "implausible time",
    "scope": "shop or category left out",
    "standing": "eligibility revoked after confirmed abuse",
    "quality_user": "not a quality user",
}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Counts of a replay; ``by_reason`` names the first rule that failed."""

    requests: int
    auto_refunded: int
    by_reason: dict[str, int]
    abuser_requests: int
    abuser_refunded: int
    median_ms: float
    p99_ms: float
    seconds: float


def summarize(answers: Sequence[Answer], *, abusers: Set[str], seconds: float) -> Summary:
    """Count the answers; ``abusers`` is the simulation's hidden truth."""
    refunded = [a for a in answers if a.refunded]
    times = sorted(a.seconds * 1e3 for a in answers)
    reasons = Counter(a.first_failed for a in answers if a.first_failed is not None)
    return Summary(
        requests=len(answers),
        auto_refunded=len(refunded),
        by_reason=dict(reasons.most_common()),
        abuser_requests=sum(a.request.buyer_id in abusers for a in answers),
        abuser_refunded=sum(a.request.buyer_id in abusers for a in refunded),
        median_ms=median(times) if times else float("nan"),
        p99_ms=times[int(len(times) * 0.99)] if times else float("nan"),
        seconds=seconds,
    )


def table(summary: Summary) -> Table:
    """Lay the summary out for a newcomer."""
    found = Table(title="One month of refund requests, decided over HTTP", title_justify="left")
    found.add_column("what happened")
    found.add_column("count", justify="right")
    found.add_column("share", justify="right")

    def row(text: str, count: int, of: int, style: str | None = None) -> None:
        found.add_row(text, f"{count:,}", f"{count / of:.1%}" if of else "—", style=style)

    row("refund requests", summary.requests, summary.requests, "bold")
    row("refunded at once", summary.auto_refunded, summary.requests, "green")
    row("to the merchant's ordinary review", sum(summary.by_reason.values()), summary.requests, "yellow")
    for code, count in summary.by_reason.items():
        row(f"   {WORDS.get(code, code)}", count, summary.requests)
    found.add_section()
    row("requests by simulated abusers", summary.abuser_requests, summary.requests, "bold")
    row("   of them refunded at once (wrong)", summary.abuser_refunded, summary.abuser_requests, "red")
    row("   share of abusers among the refunded", summary.abuser_refunded, summary.auto_refunded)
    found.add_section()
    found.add_row("median answer time", f"{summary.median_ms:.1f} ms", "")
    found.add_row("99th percentile", f"{summary.p99_ms:.1f} ms", "")
    return found
