"""Models of a backtest: one for all months, or one a month that has learned from what was known by then."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from features.catalog import CATALOG
from features.errors import BadInput
from features.events import SCHEMA
from features.files import replacing
from features.scan import Log, batches
from models.buyer_score import BuyerScore
from training.fit import OneClassOnly
from training.splits import NoMatureSnapshot

from .span import refuse_outside, span_of
from .teaching import TEACH, Task

FOLDER: Final = "models"
OnModel = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A model that a backtest trained for a month."""

    score: BuyerScore
    version: str
    guaranteed_cut_off: float | None
    known_until: str
    base_rate: float
    catalog_version: str | None = CATALOG.version


class WalkForward:
    """Trains a model for each month, as a retraining on its first day would have.

    The newest complete label window by then is learned from: labels with their maturity. Models are kept in
    the run's folder, so that a run that goes on does not train again.

    Parameters
    ----------
    known : Log or callable
        A Parquet log, or what gives the events so far; later ones than a month's first day change nothing.
    out : Path
        The run's folder.
    seed : int
    proves : bool
        Whether a policy asks for the cut-off that each model proves.
    task : str
        What the models learn.
    """

    def __init__(
        self,
        known: Log | Callable[[], pa.Table],
        out: Path,
        *,
        seed: int = 0,
        proves: bool = False,
        task: Task = "abuse",
        on_model: OnModel = lambda _: None,
    ) -> None:
        self._known, self._folder, self._seed, self._proves = known, out / FOLDER, seed, proves
        self._teach = TEACH[task]
        self._on_model = on_model
        self._latest: tuple[str, Trained] | None = None
        self._first: str | None = None

    def first(self, months: Sequence[str]) -> str:
        """Name the first month for which a model can be trained.

        Raises
        ------
        BadInput
            There is none; says what the last attempt lacked.
        """
        lacking: BadInput | None = None
        for month in months:
            try:
                self.of(month)
                self._first = month
                return month
            except (NoMatureSnapshot, OneClassOnly) as error:
                lacking = error
        raise BadInput(f"no month can be decided by a model of its own time: {lacking}")

    def of(self, month: str) -> Trained:
        """Give the model of a month.

        After the first, a month that teaches nothing goes on with the model of the month before, as a service
        does whose retraining is refused.

        Raises
        ------
        NoMatureSnapshot, OneClassOnly
            Nothing could be learned by then, and there is no earlier model.
        """
        if self._latest is None or self._latest[0] != month:
            self._latest = month, self._found(month)
        return self._latest[1]

    def _found(self, month: str) -> Trained:
        try:
            return self._learned(month)
        except (NoMatureSnapshot, OneClassOnly):
            if self._first is None or month <= self._first:
                raise
            return self._found(str(np.datetime64(month) - 1))

    def _learned(self, month: str) -> Trained:
        folder = self._folder / month
        if not (folder / "about.json").exists():
            self._on_model(month)
            self._train(month, folder)
        about = json.loads((folder / "about.json").read_text())
        return Trained(
            score=BuyerScore.load(folder / "score"),
            version=f"walk-{month}",
            guaranteed_cut_off=about["guaranteed_cut_off"],
            known_until=about["known_until"],
            base_rate=about["base_rate"],
        )

    def _events(self) -> pa.Table:
        return self._whole if isinstance(self._known, Log) else self._known()

    @cached_property
    def _whole(self) -> pa.Table:
        assert isinstance(self._known, Log)
        return pa.concat_tables(
            pa.Table.from_batches([batch]).cast(SCHEMA) for batch in batches(self._known, SCHEMA.names)
        )

    def _train(self, month: str, folder: Path) -> None:
        until = datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC)
        taught = self._teach(self._events(), until=until, seed=self._seed, proves=self._proves)
        taught.score.save(folder / "score")
        about = {
            "guaranteed_cut_off": taught.guaranteed_cut_off,
            "known_until": taught.known_until.isoformat(),
            "base_rate": taught.base_rate,
        }
        with replacing(folder / "about.json") as temporary:
            temporary.write_text(json.dumps(about))


def base_rates(out: Path, months: Sequence[str]) -> dict[str, float]:
    """Give the base rate of what each month's model learned from, of those that a run has trained."""
    abouts = {month: out / FOLDER / month / "about.json" for month in months}
    return {
        month: json.loads(path.read_text())["base_rate"] for month, path in abouts.items() if path.exists()
    }


def taught_nothing(months: Sequence[str], *outs: Path) -> list[str]:
    """Name the months that went on with an earlier model; none where no model was trained in the folders."""
    learned = {month for out in outs for month in base_rates(out, months)}
    return [month for month in months if month not in learned] if learned else []


def months_between(log: Log, since: datetime | None, until: datetime | None) -> list[str]:
    """Name the months of a log from one instant on, or from its first event, to another."""
    first, last = span_of(log)
    refuse_outside(log, first=first, last=last, since=since)
    last = last if until is None else until - timedelta(microseconds=1)
    names = np.arange(np.datetime64(f"{since or first:%Y-%m}"), np.datetime64(f"{last:%Y-%m}") + 1)
    return [str(name) for name in names]
