"""Train the score of abuse: the model that decides who is a quality buyer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pyarrow as pa

from features.catalog import CATALOG
from models.registry import BUYER_SCORE

from .dataset import build_dataset, population_sizes
from .evaluate import evaluate
from .figures import figures, reliability_by_slice
from .findings import findings_of
from .fit import fit_score, new_score, require_both_classes
from .guarantee import Budget
from .labels import AbuseLabel
from .log import training_log
from .provenance import fingerprint, git_commit
from .report import OnStep, TrainingReport, rows_of, silent
from .run import record
from .splits import split_in_time
from .window import N_TEST, snapshot_months

TASK: Final = "abuse"
EXPERIMENT: Final = "buyer-tier/abuse"


def train_abuse(
    events: pa.Table,
    *,
    tracking_uri: str,
    until: datetime | None = None,
    snapshots: Sequence[datetime] = (),
    label: AbuseLabel | None = None,
    budget: Budget | None = None,
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
    question, log = label or AbuseLabel(), training_log(events, until=until)
    taken = sorted(set(snapshots)) or snapshot_months(log, maturity=question.maturity)
    split = split_in_time(taken, known_until=log.known_until, maturity=question.maturity, n_test=N_TEST)
    on_step("features and labels")
    rows = build_dataset(log, label=question, snapshots=[*split.train, *split.test])
    train, test = rows.at(split.train), rows.at(split.test)
    require_both_classes(test, purpose="judge on")
    on_step("fitting the trees")
    score = fit_score(new_score(seed=seed), train, maturity=question.maturity)
    on_step("judging out of time")
    metrics = evaluate(test.y, score.predict_proba(test.X)[:, 1], groups=test.buyer, seed=seed)
    pictures = figures(score, test, metrics=metrics, outcome="abuse", seed=seed)
    on_step("cut-offs, slices and explanations")
    found = findings_of(log, score=score, train=train, test=test, label=question, budget=budget, seed=seed)
    pictures["reliability_by_slice.png"] = reliability_by_slice(found.slices)
    report = TrainingReport(
        task=TASK,
        tracking_uri=tracking_uri,
        experiment=EXPERIMENT,
        model_name=BUYER_SCORE,
        champion=True,
        catalog_version=CATALOG.version,
        data_fingerprint=fingerprint(log.events),
        git_commit=git_commit(),
        known_until=log.known_until,
        seed=seed,
        rows=rows_of(train, test, immature=population_sizes(log, label=question, snapshots=split.immature)),
        metrics=metrics,
        findings=found,
    )
    on_step("logging the run and registering the model")
    return record(report, score=score, example=test.X, label=question, pictures=pictures)
