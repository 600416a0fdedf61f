"""Which label window a retraining is about, and its name: equal data, seed and code, equal name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

import decisions
import features
import models
from features.errors import BadInput

from .dataset import month_starts
from .guarantee import Budget
from .labels import AbuseLabel
from .log import TrainingLog, instant, training_log
from .provenance import fingerprint
from .splits import NoMatureSnapshot, Split, split_in_time

FIRST_SNAPSHOT_DAYS: Final = 60
"""How much history a first snapshot needs before it."""
N_TEST: Final = 2
ORDER: Final = [("recorded_at", "ascending"), ("occurred_at", "ascending"), ("event_id", "ascending")]
LIBRARIES: Final = ("lightgbm", "numpy", "scikit-learn", "scipy")
"""Another release of these may round otherwise."""


@dataclass(frozen=True)
class LabelWindow:
    """The newest snapshots whose outcome is complete, and those to learn from.

    Attributes
    ----------
    log : TrainingLog
        What was recorded by the day on which the window was complete, in one order whatever the file's.
    newest : TrainingLog
        All that is known, for looking at today's buyers.
    key : str
        Name of this training: a hash of all that its result depends on.
    """

    split: Split
    log: TrainingLog
    newest: TrainingLog
    data_fingerprint: str
    key: str

    @property
    def complete_at(self) -> datetime:
        """When the outcome of the newest snapshot was known."""
        return self.log.known_until


def newest_window(
    events: pa.Table,
    *,
    label: AbuseLabel,
    seed: int,
    until: datetime | None = None,
    judged_at: datetime | None = None,
    budget: Budget | None = None,
) -> LabelWindow:
    """Find the newest complete window, or the one whose newest snapshot is `judged_at`.

    Raises
    ------
    NoMatureSnapshot
        It is not complete yet; says from when it will be.
    """
    newest = training_log(events.sort_by(ORDER), until=until)
    end = newest.known_until
    if judged_at is not None:
        end = _asked(judged_at, known_until=newest.known_until, maturity=label.maturity)
    split = _split(newest, end, label=label)
    if judged_at not in (None, split.test[-1]):
        raise BadInput(f"no window begins on {judged_at:%Y-%m-%d}: windows begin on the first of a month")
    log = training_log(newest.events, until=split.test[-1] + label.maturity)
    return _named(
        LabelWindow(split, log, newest, fingerprint(log.events), ""), label=label, seed=seed, budget=budget
    )


def whole_window(
    events: pa.Table,
    *,
    label: AbuseLabel,
    seed: int,
    until: datetime | None = None,
    snapshots: Sequence[datetime] = (),
) -> LabelWindow:
    """Take all that is known, cut nowhere, with the snapshots asked for or the first of every month.

    Raises
    ------
    NoMatureSnapshot
        The history is too short; says from when it is not.
    """
    log = training_log(events.sort_by(ORDER), until=until)
    months = sorted(set(snapshots)) or snapshot_months(log, maturity=label.maturity)
    split = split_in_time(months, known_until=log.known_until, maturity=label.maturity, n_test=N_TEST)
    return _named(LabelWindow(split, log, log, fingerprint(log.events), ""), label=label, seed=seed)


def _named(window: LabelWindow, *, label: AbuseLabel, seed: int, budget: Budget | None = None) -> LabelWindow:
    named: dict[str, Any] = {
        "snapshots": [t.isoformat() for t in (*window.split.train, *window.split.test)],
        "label": asdict(label),
        "budget": asdict(budget or Budget()),
        "seed": seed,
        "data": window.data_fingerprint,
        "code": code_version(),
    }
    key = hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:16]
    return replace(window, key=key)


def snapshot_months(log: TrainingLog, *, maturity: timedelta) -> list[datetime]:
    """List first days of months, with those to come by which a history too short will be long enough."""
    recorded = log.frame["recorded"]
    if recorded.empty:
        return []
    first = instant(int(recorded.min())) + timedelta(days=FIRST_SNAPSHOT_DAYS)
    return month_starts(first, max(log.known_until, first + maturity + timedelta(days=62)))


def code_version() -> str:
    """Hash the text of all code between the events and the model, and the releases it stands on."""
    found = hashlib.sha256()
    own = Path(__file__).parent
    for package in (features, models, decisions):
        _add(found, Path(str(package.__file__)).parent)
    _add(found, own)
    found.update(json.dumps(_releases()).encode())
    return found.hexdigest()[:16]


def _releases() -> Mapping[str, str]:
    return {name: installed_version(name) for name in LIBRARIES}


def _add(found: hashlib._Hash, package: Path) -> None:
    for path in sorted(package.rglob("*.py")):
        found.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")


def _split(log: TrainingLog, known_until: datetime, *, label: AbuseLabel) -> Split:
    months = snapshot_months(log, maturity=label.maturity)
    return split_in_time(months, known_until=known_until, maturity=label.maturity, n_test=N_TEST)


def _asked(judged_at: datetime, *, known_until: datetime, maturity: timedelta) -> datetime:
    complete = judged_at + maturity
    if complete > known_until:
        raise NoMatureSnapshot(
            f"the label window of {judged_at:%Y-%m-%d} is not mature: labels take {maturity.days} days, the "
            f"history ends {known_until:%Y-%m-%d}; retrain from {complete:%Y-%m-%d}"
        )
    return complete
