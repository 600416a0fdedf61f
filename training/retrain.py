"""Retrain: the newest complete window, one training of it, and a champion only if every gate agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import pyarrow as pa

from decisions.policy import NOTICE, Policy
from models.buyer_score import BuyerScore
from models.mlflow_store import RegistryUnavailable
from models.registry import BUYER_SCORE, LoadedModel, ModelDamaged, ModelVersion, Registry
from models.succession import SETTLED

from .dataset import build_dataset
from .examination import Lesson, examined, fitted, lesson_of
from .findings import Findings
from .gates import Gate
from .gates_page import gates_page
from .guarantee import Budget
from .judge import Case, judge
from .kept import KeptModels
from .labels import AbuseLabel
from .limits import Limits
from .publish import (
    VERDICT,
    Publication,
    gates_as_json,
    learned_until,
    note,
    publish,
    settle,
    versions_of,
)
from .report import OnStep, silent
from .run import example_of
from .turn import DELAYS, Busy, Lease, patiently, turn
from .window import LabelWindow, newest_window

WAIT_SECONDS: Final = 3600.0
STEPS: Final = (
    "reading the history",
    "asking the registry",
    "features and labels",
    "fitting the trees",
    "keeping the model on disk",
    "cut-offs, slices and explanations",
    "judging beside the champion",
    "logging the run",
    "storing the model in the run",
    "registering the version",
    "moving the alias",
    "noting that it is settled",
    "tidying up",
)
"""In this order; a run that goes on from a model on disk leaves some out."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a retraining is asked to do.

    Attributes
    ----------
    tracking_uri : str
        MLflow's store.
    kept_in : Path
        Folder for models that the registry does not have yet, and for the pages of the gates.
    until, judged_at : datetime, optional
        Know only what was recorded before; the window to train instead of the newest.
    run_id : str, optional
        The run that `mlflow run` has opened.
    policy : Policy
        The one that the service runs: by it both models' quality users are told.
    budget : Budget
        What the guaranteed cut-off must keep.
    wait_seconds, delays : float, sequence of float
        How long to wait for another retraining, and before each new attempt to reach MLflow.
    """

    tracking_uri: str
    kept_in: Path
    until: datetime | None = None
    judged_at: datetime | None = None
    seed: int = 0
    run_id: str | None = None
    label: AbuseLabel = field(default_factory=AbuseLabel)
    policy: Policy = NOTICE
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=Limits)
    wait_seconds: float = WAIT_SECONDS
    delays: Sequence[float] = DELAYS


@dataclass(frozen=True)
class RetrainReport:
    """What came of it.

    Attributes
    ----------
    outcome : str
        `promoted`, `held`, or `already` when this training had been done before.
    said : str
        The verdict in one line.
    findings : Findings or None
        Of the model, if it was judged just now.
    page : Path or None
        The page of the gates, on this disk.
    """

    outcome: Literal["promoted", "held", "already"]
    model_version: str
    run_id: str
    key: str
    window: tuple[str, ...]
    complete_at: datetime
    champion_before: str | None
    champion_now: str | None
    said: str
    gates: tuple[Gate, ...] = ()
    findings: Findings | None = None
    page: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give plain values, as JSON holds them."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {
            "complete_at": self.complete_at.isoformat(),
            "gates": gates_as_json(self.gates),
            "findings": asdict(self.findings) if self.findings else None,
            "page": str(self.page) if self.page else None,
        }


def retrain(events: pa.Table, order: Order, *, on_step: OnStep = silent) -> RetrainReport:
    """Train the newest complete label window once, judge it beside the champion, promote it or hold it.

    Raises
    ------
    NoMatureSnapshot, OneClassOnly
        Nothing to learn from; nothing was registered.
    Busy
        Another retraining is under way and took too long.
    RegistryUnavailable
        MLflow is away; the model is kept in `order.kept_in` and the next retraining goes on from it.
    """
    with turn(order.tracking_uri, order.kept_in, wait_seconds=order.wait_seconds):
        return _Retraining(events, order, on_step).report()


class _Retraining:
    """One retraining, alone on this machine."""

    def __init__(self, events: pa.Table, order: Order, on_step: OnStep) -> None:
        self.order, self.on_step = order, on_step
        self.registry = Registry(order.tracking_uri, name=BUYER_SCORE)
        self.lease = Lease(self.registry)
        self.kept = KeptModels(order.kept_in)
        on_step(STEPS[0])
        self.window: LabelWindow = newest_window(
            events,
            label=order.label,
            seed=order.seed,
            until=order.until,
            judged_at=order.judged_at,
            budget=order.budget,
        )

    def report(self) -> RetrainReport:
        """Go as far as there is something to do."""
        self.on_step(STEPS[1])
        try:
            found = patiently(self._done_before, delays=self.order.delays)
        except Busy:
            raise
        except RegistryUnavailable:
            found = None  # what needs no registry is done meanwhile
        try:
            return found or self._trained()
        finally:
            self._free()

    def _done_before(self) -> RetrainReport | None:
        self.lease.take()
        found = versions_of(self.registry, self.window.key)
        if not found:
            return None
        if SETTLED not in found[0].tags:
            return self._settled(found[0])
        self.kept.forget(self.window.key)
        said = f"this window was trained before; {found[0].tags[VERDICT]}"
        if self.order.run_id:
            note(self.registry, self.order.run_id, said=said, version=found[0].version)
        return self._report("already", found[0], said=said)

    def _trained(self) -> RetrainReport:
        self.on_step(STEPS[2])
        order, window = self.order, self.window
        lesson = lesson_of(window, label=order.label, seed=order.seed)
        today = build_dataset(window.newest, label=order.label, snapshots=[window.newest.known_until])
        score = self.kept.find(window.key) or self._fitted(lesson)
        self.on_step(STEPS[5])
        found = examined(
            score, lesson, tracking_uri=order.tracking_uri, policy=order.policy, budget=order.budget
        )
        case = Case(
            lesson=lesson,
            examined=found,
            newest=today,
            directory=self.kept.path(window.key),
            policy=order.policy,
            limits=order.limits,
        )
        try:
            return self._published(case)
        except RegistryUnavailable as error:
            raise type(error)(
                f"{error}; the trained model is kept in {case.directory}, the next retraining goes on from it"
            ) from error

    def _fitted(self, lesson: Lesson) -> BuyerScore:
        self.on_step(STEPS[3])
        score = fitted(lesson)
        self.on_step(STEPS[4])
        self.kept.keep(self.window.key, score, example=example_of(lesson.judged.X))
        return score

    def _published(self, case: Case) -> RetrainReport:
        try:
            champion, until = patiently(self._champion, delays=self.order.delays)
            case = replace(case, champion=champion, champion_learned_until=until)
        except ModelDamaged as error:
            case = replace(case, damage=str(error))
        self.on_step(STEPS[6])
        judgement, report = judge(case), case.examined.report
        page = gates_page(case, judgement, report)
        made = Publication(report, case, judgement, page)
        done = patiently(lambda: self._registered(made), delays=self.order.delays)
        path = self.order.kept_in / f"gates-version-{done.model_version}.html"
        path.write_text(page, encoding="utf-8")
        return replace(done, gates=judgement.gates, findings=report.findings, page=path)

    def _champion(self) -> tuple[LoadedModel | None, str | None]:
        self.lease.take()
        champion = self.registry.champion()
        return champion, learned_until(self.registry, champion)

    def _registered(self, made: Publication) -> RetrainReport:
        self.lease.take()
        found = versions_of(self.registry, self.window.key)
        if not found:
            publish(made, registry=self.registry, run_id=self.order.run_id, on_step=self.on_step)
            found = versions_of(self.registry, self.window.key)
        self.lease.take()
        return self._settled(found[0])

    def _settled(self, version: ModelVersion) -> RetrainReport:
        before = self.registry.champion_version()
        outcome = settle(self.registry, version, on_step=self.on_step)
        self.on_step(STEPS[-1])
        self.kept.forget(self.window.key)
        said = version.tags[VERDICT]
        if outcome == "held" and said.startswith("promote"):
            said = "hold: the champion changed after this version was judged"
        done = self._report("promoted" if outcome == "promoted" else "held", version, said=said)
        return replace(done, champion_before=before)

    def _report(self, outcome: Any, version: ModelVersion, *, said: str) -> RetrainReport:
        now = self.registry.champion_version()
        return RetrainReport(
            outcome=outcome,
            model_version=version.version,
            run_id=version.run_id,
            key=self.window.key,
            window=tuple(f"{t:%Y-%m-%d}" for t in self.window.split.test),
            complete_at=self.window.complete_at,
            champion_before=now,
            champion_now=now,
            said=said,
        )

    def _free(self) -> None:
        try:
            self.lease.free()
        except RegistryUnavailable:
            return  # it runs out by itself
