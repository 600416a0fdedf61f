"""The findings of a training as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from training.climbing import Walk
    from training.findings import Findings
    from training.scorecard import Scorecard


def findings_tables(found: Findings) -> Iterator[RenderableType]:
    """Lay out what a training found, from the most to the least asked for."""
    yield _slices(found)
    yield f"base rate: {found.base_rate.words}"
    for name, why in found.not_sliced.items():
        yield f"not judged by {name}: {why}"
    yield _walks(found)
    yield _agreement(found.scorecard)
    yield f"cut-off with a guarantee: {found.guarantee.words}"


def _slices(found: Findings) -> Table:
    table = _table("buyers", title="Probabilities by slice, on each buyer's latest row")
    for name in ("rows", "abusers", "predicted", "observed", "95%", "AUC", "told"):
        table.add_column(name, justify="right", no_wrap=True)
    for part in found.slices:
        seen = part.observed
        interval = f"{100 * seen.low:.1f}–{100 * seen.high:.1f}%"
        ranked = f"{part.roc_auc.value:.2f}" if part.roc_auc else "–"
        rates = (f"{part.predicted:.2%}", f"{seen.value:.2%}", interval)
        verdict = part.verdict.removesuffix(" events to say")
        table.add_row(part.words, f"{part.n:,}", str(part.events), *rates, ranked, verdict)
    return table


def _walks(found: Findings) -> Table:
    table = _table("history", title="What gains the quality tier, and what loses it")
    for name in ("points before", "orders", "days", "yuan", "points then"):
        table.add_column(name, justify="right")
    for walk in found.walks:
        then = f"{walk.points_after:.1f} ({walk.tier_after})"
        before = f"{walk.points_before:.1f} ({walk.tier_before})"
        table.add_row(
            walk.words, before, _steps(walk), f"{walk.days:.0f}", f"{walk.spent_fen / 100:,.0f}", then
        )
    return table


def _steps(walk: Walk) -> str:
    if walk.steps is None:
        return "never gained" if walk.climbs else "never lost"
    return str(walk.steps)


def _agreement(card: Scorecard) -> Table:
    ours, theirs = (m["average_precision"].value for m in (card.model_metrics, card.metrics))
    auc, their_auc = (m["roc_auc"].value for m in (card.model_metrics, card.metrics))
    title = (
        f"Beside a scorecard of {len(card.characteristics)} features: average precision {ours:.3f} "
        f"(scorecard {theirs:.3f}), ROC-AUC {auc:.3f} (scorecard {their_auc:.3f})"
    )
    table = _table("who, when both approve equally many", title=title)
    for name in ("buyers", "abusers", "rate (95%)"):
        table.add_column(name, justify="right")
    for group in card.agreement:
        rate = group.rate
        told = f"{rate.value:.2%} ({rate.low:.2%} to {rate.high:.2%})" if rate else "none"
        table.add_row(group.words, f"{group.n:,}", str(group.events), told)
    return table


def _table(first: str, *, title: str) -> Table:
    return Table(first, title=title, title_justify="left")
