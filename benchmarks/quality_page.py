"""The tables: to the terminal, as Markdown for the documentation, and as the rows of a JSON file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.quality_bars import Bar
from benchmarks.quality_measures import MEAN, MEASURES, Drawn
from benchmarks.quality_methods import OURS
from training.evaluate import Interval

SHORT: Final = {"roc_auc": "ROC-AUC", "average_precision": "AP", "recall_at_fpr_0.005": "recall at 0.5 % FPR"}


@dataclass(frozen=True)
class Table:
    """Cells of text under heads."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def means(drawn: Drawn) -> Table:
    """A line a method: the mean's measures, and how far ours is ahead on the same draws."""
    heads = ["method", *SHORT.values(), *(f"ours ahead, {SHORT[m]}" for m in list(SHORT)[:2])]
    rows = []
    for method in drawn.methods:
        line = [method, *(said(drawn.of(method, measure)) for measure in MEASURES)]
        beside = OURS in drawn.methods and method != OURS
        ahead = [signed(drawn.ahead(OURS, method, m)) if beside else "" for m in list(SHORT)[:2]]
        rows.append((*line, *ahead))
    n, events = sum(drawn.n.values()), sum(drawn.events.values())
    title = f"{drawn.dataset}: mean of {len(drawn.snapshots)} ({n:,} rows, {events:,} positive)"
    return Table(title, tuple(heads), tuple(rows))


def by_snapshot(drawn: Drawn, measure: str) -> Table:
    """A line a method, a column a snapshot."""
    heads = ["method", *(f"{s} ({drawn.events[s]:,} of {drawn.n[s]:,})" for s in drawn.snapshots)]
    rows = [(m, *(said(drawn.of(m, measure, at=s)) for s in drawn.snapshots)) for m in drawn.methods]
    return Table(f"{drawn.dataset}: {SHORT[measure]} by snapshot", tuple(heads), tuple(rows))


def verdicts(found: Sequence[Bar]) -> Table:
    """A line a demand."""
    rows = [(b.words, signed(b.figure), f"{b.limit:g}", b.verdict) for b in found]
    return Table("What was asked", ("demand", "figure", "at least", "verdict"), tuple(rows))


def show(tables: Sequence[Table]) -> None:
    """Print to the terminal."""
    console = Console(width=None if Console().is_terminal else 170)
    for table in tables:
        shown = RichTable(title=table.title, title_justify="left")
        for i, head in enumerate(table.heads):
            shown.add_column(head, justify="left" if i == 0 else "right")
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def markdown(tables: Sequence[Table]) -> str:
    """Write the tables for a page."""
    return "\n\n".join("\n".join(_lines(table)) for table in tables) + "\n"


def put_between(text: str, part: str, tables: str) -> str:
    """Replace what stands between a page's two marks of a part.

    Raises
    ------
    SystemExit
        The page has no such marks.
    """
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    if not (begin in text and end in text):
        raise SystemExit(f"the page lacks the marks {begin} and {end}")
    return f"{text.split(begin)[0]}{begin}\n{tables}{end}{text.split(end)[1]}"


def json_rows(drawn: Drawn) -> Iterator[dict[str, Any]]:
    """Say each value, and each difference to ours, with its interval."""
    for (at, method, measure), values in drawn.values.items():
        where = {"name": method, "dataset": drawn.dataset, "snapshot": at, "size": _size(drawn, at)}
        yield {
            **where,
            "metric": measure,
            **_json(drawn.of(method, measure, at=at)),
            "runs": [float(values[0])],
        }
        if method != OURS and OURS in drawn.methods:
            ahead = drawn.ahead(OURS, method, measure, at=at)
            yield {**where, "metric": f"ours_ahead_{measure}", **_json(ahead), "runs": [ahead.value]}


def _size(drawn: Drawn, at: str) -> int:
    return sum(drawn.n.values()) if at == MEAN else drawn.n[at]


def _json(found: Interval) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "unit": "share"}


def _lines(table: Table) -> Iterator[str]:
    yield f"**{table.title}**\n"
    yield "| " + " | ".join(table.heads) + " |"
    yield "|---" * len(table.heads) + "|"
    for row in table.rows:
        yield "| " + " | ".join(row) + " |"


def said(found: Interval) -> str:
    """Write a value with its interval."""
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def signed(found: Interval) -> str:
    """Write a difference with its sign and its interval."""
    return f"{found.value:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
