"""Train the score of abuse: the model that decides who is a quality buyer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from decisions.policy import NOTICE, Policy

from .examination import examined, fitted, lesson_of
from .guarantee import Budget
from .labels import AbuseLabel
from .report import OnStep, TrainingReport, silent
from .run import record
from .window import whole_window


def train_abuse(
    events: pa.Table,
    *,
    tracking_uri: str,
    until: datetime | None = None,
    snapshots: Sequence[datetime] = (),
    label: AbuseLabel | None = None,
    budget: Budget | None = None,
    policy: Policy = NOTICE,
    seed: int = 0,
    on_step: OnStep = silent,
) -> TrainingReport:
    """Learn from months whose outcome is known, judge on the latest of them, register the champion.

    Parameters
    ----------
    events : pa.Table
        Columns of the event contract.
    tracking_uri : str
        MLflow's store.
    until : datetime, optional
        Train as one would have then: what was recorded later is not known.
    snapshots : sequence of datetime
        Instants to take rows at; without any, the first of every month after 60 days of history.
    label : AbuseLabel, optional
        What counts as abuse.
    budget : Budget, optional
        What the guaranteed cut-off must keep.
    policy : Policy
        Whose rules and edges the findings look at.
    seed : int
        Of the trees' sampling and the bootstrap.
    on_step : callable
        Told each step's name as it begins.

    Raises
    ------
    NoMatureSnapshot
        The history is too short; says from when it is not.
    OneClassOnly
        Nobody, or everybody, abused.
    """
    on_step("reading the history")
    question = label or AbuseLabel()
    window = whole_window(events, label=question, seed=seed, until=until, snapshots=snapshots)
    on_step("features and labels")
    lesson = lesson_of(window, label=question, seed=seed)
    on_step("fitting the trees")
    score = fitted(lesson)
    on_step("judging out of time")
    found = examined(score, lesson, tracking_uri=tracking_uri, policy=policy, budget=budget, champion=True)
    on_step("logging the run and registering the model")
    return record(found.report, score=score, example=lesson.judged.X, label=question, pictures=found.pictures)
