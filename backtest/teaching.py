"""What a month's model learns, and from what: abuse, or cancellation where a log knows of no abuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa

from models.buyer_score import BuyerScore
from training.cancellation import cancellation_score, rows_known_by
from training.examination import fitted, lesson_of
from training.findings import findings_of
from training.labels import AbuseLabel, CancellationLabel
from training.log import training_log
from training.window import newest_window

Task = Literal["abuse", "cancellation"]


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A score, the cut-off that it proves, by when its labels were complete, and their base rate."""

    score: BuyerScore
    guaranteed_cut_off: float | None
    known_until: datetime
    base_rate: float


Teach = Callable[..., Taught]
"""``teach(events, until=…, seed=…, proves=…)``; raises NoMatureSnapshot or OneClassOnly."""


def teach_abuse(events: pa.Table, *, until: datetime, seed: int, proves: bool) -> Taught:
    """Learn from the newest label window that was complete by then, as a retraining does."""
    label = AbuseLabel()
    window = newest_window(events, label=label, seed=seed, until=until)
    lesson = lesson_of(window, label=label, seed=seed)
    score, cut_off = fitted(lesson), None
    if proves:
        train, test = lesson.learned, lesson.judged
        found = findings_of(window.log, score=score, train=train, test=test, label=label, seed=seed)
        cut_off = found.guarantee.cut_off
    return Taught(
        score=score,
        guaranteed_cut_off=cut_off,
        known_until=window.complete_at,
        base_rate=float(lesson.learned.y.mean()),
    )


def teach_cancellation(events: pa.Table, *, until: datetime, seed: int, proves: bool) -> Taught:
    """Learn who cancels from the outcomes that were complete by then; nothing is proven of a cut-off."""
    label, log = CancellationLabel(), training_log(events, until=until)
    rows = rows_known_by(log, until, label=label)
    return Taught(
        score=cancellation_score(rows, label=label, seed=seed),
        guaranteed_cut_off=None,
        known_until=until,
        base_rate=float(rows.y.mean()),
    )


TEACH: dict[Task, Teach] = {"abuse": teach_abuse, "cancellation": teach_cancellation}
