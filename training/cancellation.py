"""The task of a retailer's real history: who will cancel, beside simple methods, snapshot by snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from features.catalog import CATALOG
from models.buyer_score import BuyerScore

from .baselines import CANCELLATION_BASELINES
from .dataset import Dataset, Newer, build_dataset, every_days, month_starts, population_sizes
from .evaluate import Floats, Interval, evaluate, ranking_measures, with_intervals
from .figures import figures, methods_by_snapshot
from .fit import fit_score, new_score, require_both_classes
from .labels import CancellationLabel
from .log import TrainingLog, instant, training_log
from .provenance import fingerprint, git_commit
from .report import Comparison, OnStep, TrainingReport, rows_of, silent
from .run import record
from .splits import NoMatureSnapshot

TASK: Final = "cancellation"
EXPERIMENT: Final = "buyer-tier/cancellation"
MODEL_NAME: Final = "buyer-score-cancellation"
OURS: Final = "ours"
N_SNAPSHOTS: Final = 4
STEP_DAYS: Final = 15
"""Distance of the snapshots to learn from."""
FIRST_SNAPSHOT_DAYS: Final = 60
ADDITIVE: Final[Mapping[str, Any]] = {
    "num_leaves": 2,
    "max_depth": 1,
    "learning_rate": 0.03,
    "l2": 10.0,
    "feature_fraction": 0.3,
    "extra_trees": True,
    "weigh_groups": True,
    "max_trees": 1000,
    "patience": 100,
}
"""One split a tree, its threshold drawn: on a few thousand buyers interactions cost more than they tell.
Chosen within the snapshots up to 2010-08-04 of Online Retail II."""
SHORTER_WINDOWS: Final = (75, 60, 45, 30)
"""Days of order that already tell who cancels, where a whole window is not complete yet."""


def train_cancellation(
    events: pa.Table,
    *,
    tracking_uri: str,
    until: datetime | None = None,
    snapshots: Sequence[datetime] = (),
    label: CancellationLabel | None = None,
    seed: int = 0,
    on_step: OnStep = silent,
) -> TrainingReport:
    """For each snapshot learn from those complete by it, judge beside the simple methods; register the last.

    Parameters
    ----------
    events : pa.Table
        Columns of the event contract.
    tracking_uri : str
        MLflow's store.
    until : datetime, optional
        What was recorded later is not known.
    snapshots : sequence of datetime
        Instants to judge at; without any, the four latest first days of months with a complete outcome.
    label : CancellationLabel, optional
        The population and the outcome.
    seed : int
        Of the trees' sampling and the bootstrap.
    on_step : callable
        Told each step's name as it begins.

    Raises
    ------
    NoMatureSnapshot
        A snapshot's outcome is not complete, or nothing was complete by it; says when.
    OneClassOnly
        Nobody, or everybody, cancelled.
    """
    on_step("reading the history")
    question, log = label or CancellationLabel(), training_log(events, until=until)
    judged = _judged(log, sorted(set(snapshots)), label=question)
    trials = []
    for at in judged:
        on_step(f"learning by {at:%Y-%m-%d}, judging what followed")
        trials.append(_trial(log, at, label=question, seed=seed))
    last = trials[-1]
    comparisons = [line for trial in trials for line in trial.comparisons]
    comparisons += mean_comparisons(comparisons)
    p = last.score.predict_proba(last.test.X)[:, 1]
    latest = evaluate(last.test.y, p, groups=last.test.buyer, seed=seed)
    report = TrainingReport(
        task=TASK,
        tracking_uri=tracking_uri,
        experiment=EXPERIMENT,
        model_name=MODEL_NAME,
        champion=False,
        catalog_version=CATALOG.version,
        data_fingerprint=fingerprint(log.events),
        git_commit=git_commit(),
        known_until=log.known_until,
        seed=seed,
        rows=rows_of(last.train, last.test, immature=_immature(log, question)),
        metrics=latest | _metrics(comparisons),
        comparisons=tuple(comparisons),
    )
    pictures = figures(last.score, last.test, metrics=latest, outcome="cancellation", seed=seed)
    pictures["methods_by_snapshot.png"] = methods_by_snapshot(comparisons, ours=OURS)
    on_step("logging the run and registering the model")
    return record(report, score=last.score, example=last.test.X, label=question, pictures=pictures)


@dataclass(frozen=True)
class _Trial:
    """What a model learned by one snapshot, and how it did on what followed."""

    score: BuyerScore
    train: Dataset
    test: Dataset
    comparisons: tuple[Comparison, ...]


def rows_of_snapshot(log: TrainingLog, at: datetime, *, label: CancellationLabel) -> tuple[Dataset, Dataset]:
    """Rows whose outcome was complete by a snapshot, and the snapshot's own.

    Raises
    ------
    NoMatureSnapshot
        Nothing was complete by it; says from when something is.
    OneClassOnly
        Nobody, or everybody, cancelled.
    """
    learned = _complete_by(log, at, label=label)
    rows = build_dataset(log, label=label, snapshots=[*learned, at])
    newer = tuple(_newer(log, at, label=label))
    train, test = replace(rows.at(learned), newer=newer), rows.at([at])
    require_both_classes(test, purpose=f"judge on at {at:%Y-%m-%d}")
    return train, test


def rows_known_by(log: TrainingLog, at: datetime, *, label: CancellationLabel) -> Dataset:
    """Rows whose outcome was complete by an instant: what a score can have learned from then.

    Raises
    ------
    NoMatureSnapshot
        Nothing was complete by it; says from when something is.
    OneClassOnly
        Nobody, or everybody, cancelled.
    """
    rows = build_dataset(log, label=label, snapshots=_complete_by(log, at, label=label))
    require_both_classes(rows, purpose=f"learn from by {at:%Y-%m-%d}")
    return replace(rows, newer=tuple(_newer(log, at, label=label)))


def _complete_by(log: TrainingLog, at: datetime, *, label: CancellationLabel) -> list[datetime]:
    first = _first_snapshot(log)
    learned = every_days(first, at - label.maturity, step_days=STEP_DAYS)
    if not learned:
        ready = first + label.maturity
        raise NoMatureSnapshot(
            f"nothing to learn from for {at:%Y-%m-%d}: outcomes complete by then need {FIRST_SNAPSHOT_DAYS} "
            f"days of history and {label.maturity.days} to mature; judge from {ready:%Y-%m-%d}"
        )
    return learned


def cancellation_score(train: Dataset, *, label: CancellationLabel, seed: int) -> BuyerScore:
    """Fit the task's score."""
    return fit_score(new_score(seed=seed, **ADDITIVE), train, maturity=label.maturity)


def _trial(log: TrainingLog, at: datetime, *, label: CancellationLabel, seed: int) -> _Trial:
    train, test = rows_of_snapshot(log, at, label=label)
    score = cancellation_score(train, label=label, seed=seed)
    scored = {OURS: score.predict_proba(test.X)[:, 1]}
    scored |= {name: method(log, train, test) for name, method in CANCELLATION_BASELINES.items()}
    return _Trial(score, train, test, tuple(_lines(test, scored, snapshot=f"{at:%Y-%m-%d}", seed=seed)))


def _newer(log: TrainingLog, at: datetime, *, label: CancellationLabel) -> Iterator[Newer]:
    """For each shorter window, the latest snapshot whose outcome was complete by `at`."""
    for days in SHORTER_WINDOWS:
        shorter = replace(label, window_days=days)
        snapshot = at - shorter.maturity
        if days < label.window_days and snapshot >= _first_snapshot(log):
            yield Newer(build_dataset(log, label=shorter, snapshots=[snapshot]), shorter.maturity)


def _lines(test: Dataset, scored: Mapping[str, Floats], *, snapshot: str, seed: int) -> Iterator[Comparison]:
    for method, values in scored.items():
        found = with_intervals(ranking_measures(test.y, values), groups=test.buyer, seed=seed)
        yield Comparison(snapshot, method, n=len(test), base_rate=float(test.y.mean()), **found)


def mean_comparisons(lines: Sequence[Comparison]) -> list[Comparison]:
    """Average every method over the snapshots; ends of intervals are averaged too, which overstates them."""
    methods = dict.fromkeys(line.method for line in lines)
    return [_mean(method, [line for line in lines if line.method == method]) for method in methods]


def _mean(method: str, lines: Sequence[Comparison]) -> Comparison:
    def average(pick: Callable[[Comparison], Interval]) -> Interval:
        ends = np.mean([astuple(pick(line)) for line in lines], axis=0)
        return Interval(*(float(end) for end in ends))

    return Comparison(
        snapshot="mean",
        method=method,
        n=sum(line.n for line in lines),
        base_rate=float(np.average([line.base_rate for line in lines], weights=[line.n for line in lines])),
        roc_auc=average(lambda line: line.roc_auc),
        average_precision=average(lambda line: line.average_precision),
    )


def _metrics(lines: Sequence[Comparison]) -> dict[str, Interval]:
    """Name each line's two measures as MLflow's metrics."""
    names = {line: f"{line.snapshot} {line.method}".replace(" ", "_") for line in lines}
    aucs = {f"{name}_roc_auc": line.roc_auc for line, name in names.items()}
    return aucs | {f"{name}_average_precision": line.average_precision for line, name in names.items()}


def _judged(log: TrainingLog, asked: Sequence[datetime], *, label: CancellationLabel) -> list[datetime]:
    """Check the snapshots asked for, or choose the latest whose outcome is complete."""
    last = log.known_until - label.maturity
    for at in asked:
        if at > last:
            raise NoMatureSnapshot(
                f"the outcome of {at:%Y-%m-%d} is complete on {at + label.maturity:%Y-%m-%d}, the history "
                f"ends {log.known_until:%Y-%m-%d}; ask for {last:%Y-%m-%d} or earlier"
            )
    if asked:
        return list(asked)
    first = _first_snapshot(log) + label.maturity
    found = month_starts(first, last)[-N_SNAPSHOTS:]
    if not found:
        ready = month_starts(first, first + timedelta(days=31))[0] + label.maturity
        raise NoMatureSnapshot(
            f"no snapshot can be judged yet: outcomes take {label.maturity.days} days to mature, those to "
            f"learn from and those to judge on; the history ends {log.known_until:%Y-%m-%d}, "
            f"train again from {ready:%Y-%m-%d}"
        )
    return found


def _first_snapshot(log: TrainingLog) -> datetime:
    recorded = log.frame["recorded"]
    first = instant(int(recorded.min())) if len(recorded) else log.known_until
    return first + timedelta(days=FIRST_SNAPSHOT_DAYS)


def _immature(log: TrainingLog, label: CancellationLabel) -> Mapping[str, int]:
    """Count the rows of later months whose window has passed or begun but whose outcome is open."""
    last = log.known_until - label.maturity
    open_months = month_starts(last + timedelta(microseconds=1), log.known_until)
    return population_sizes(log, label=label, snapshots=open_months)
