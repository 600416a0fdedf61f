"""From a judged model to the registry: one run, one version, and last of all the alias."""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from features.errors import BadInput
from models.mlflow_store import experiment_id, local_store, store_lock, tracking
from models.registry import LoadedModel, LoggedScore, ModelVersion, Registry
from models.succession import SETTLED, challenge, promote

from .gates import Gate
from .judge import Case, Judgement
from .report import OnStep, TrainingReport
from .run import example_of, log_evidence, run_tags, tags_of

import mlflow  # isort: skip  # after the store, which sets what mlflow reads when it is imported

KEY: Final = "retrain_key"
VERDICT: Final = "verdict"
COMPARED_WITH: Final = "compared_with"
LEARNED_UNTIL: Final = "learned_until"
LEFTOVER: Final = "leftover"
SOUND: Final = "sound"
UNSOUND: Final = {"same_features", "clean_process"}
"""Gates without which a version cannot even be scored in the shadow."""
MAX_TAG: Final = 2000


@dataclass(frozen=True)
class Publication:
    """What goes into the run and onto the version."""

    report: TrainingReport
    case: Case
    judgement: Judgement
    page: str

    @property
    def verdict(self) -> str:
        """`promote` or `hold`, and why."""
        if self.judgement.promotes:
            return "promote: every gate that could be asked passed"
        return "hold: " + "; ".join(
            f"not passed: {gate.title}: {gate.figure}" for gate in self.judgement.holding
        )

    @property
    def tags(self) -> dict[str, str]:
        """Tags of the run and of the version."""
        champion = self.case.champion
        lesson = self.case.lesson
        learned = lesson.window.split.train[-1] + lesson.label.maturity
        return tags_of(self.report) | {
            KEY: lesson.window.key,
            VERDICT: self.verdict[:MAX_TAG],
            COMPARED_WITH: champion.version if champion else "",
            LEARNED_UNTIL: learned.isoformat(),
            SOUND: "no" if any(gate.name in UNSOUND for gate in self.judgement.holding) else "yes",
        }


def publish(made: Publication, *, registry: Registry, run_id: str | None, on_step: OnStep) -> str:
    """Log the run, end it, then make the version; no alias moves. Give the version.

    Parameters
    ----------
    run_id : str or None
        A run that has been opened for this already, as `mlflow run` does.
    """
    tags = made.tags | {"host": socket.gethostname(), "pid": str(os.getpid())}
    with tracking(registry.tracking_uri):
        where = experiment_id(registry.client, made.report.experiment, tracking_uri=registry.tracking_uri)
        mark_leftovers(registry, where)
        on_step("logging the run")
        name = f"retrain, window of {made.case.lesson.window.split.test[-1]:%Y-%m-%d}"
        opened: dict[str, Any] = {"run_id": run_id} if run_id else {"experiment_id": where, "run_name": name}
        with mlflow.start_run(**opened, tags=run_tags(tags)) as run:
            made = replace(made, report=replace(made.report, run_id=run.info.run_id))
            logged = _logged(made, registry, on_step=on_step)
        on_step("registering the version")
        return registry.register(logged, tags=made.tags)


def settle(registry: Registry, found: ModelVersion, *, on_step: OnStep) -> str:
    """Do what a version's verdict says, once; give `promoted` or `held`.

    A version whose promotion was cut off is recognised by the alias; one whose champion has changed since it
    was judged is held.
    """
    version, verdict = found.version, found.tags[VERDICT]
    on_step("moving the alias")
    with store_lock(registry.tracking_uri):
        current = registry.champion_version()
        outcome = "held"
        if verdict.startswith("promote"):
            if current == version:
                outcome = "promoted"
            elif (current or "") == found.tags.get(COMPARED_WITH, ""):
                promote(registry, version, reason=f"retraining, {verdict}")
                outcome = "promoted"
        elif found.tags.get(SOUND) == "yes":
            challenge(registry, version)
        on_step("noting that it is settled")
        registry.tag(SETTLED, outcome, version=version)
    return outcome


def mark_leftovers(registry: Registry, experiment: str) -> None:
    """Close the runs that dead processes left open, and say of versions that their run never ended.

    Whoever calls this is alone: on a local store it holds the file, on a server the lease of retrainings.
    """
    alone, lines = local_store(registry.tracking_uri) is not None, registry.versions()
    for run in registry.client.search_runs([experiment], "attributes.status = 'RUNNING'"):
        if alone or KEY in run.data.tags:
            registry.client.set_tag(run.info.run_id, LEFTOVER, "its process ended before it did")
            registry.client.set_terminated(run.info.run_id, "FAILED")
    made = {line.run_id for line in lines}
    for run in registry.client.search_runs([experiment], "attributes.status = 'FINISHED'"):
        if KEY in run.data.tags and LEFTOVER not in run.data.tags and run.info.run_id not in made:
            registry.client.set_tag(
                run.info.run_id, LEFTOVER, "its process ended before its version was made"
            )
    for line in lines:
        if not line.finished and LEFTOVER not in line.tags:
            registry.tag(LEFTOVER, "its run did not end well", version=line.version)


def learned_until(registry: Registry, champion: LoadedModel | None) -> str | None:
    """Say when the last label that a champion learned from was complete; None if nobody knows."""
    if champion is None:
        return None
    line = next(v for v in registry.versions() if v.version == champion.version)
    if known := line.tags.get(LEARNED_UNTIL):
        return known
    params = registry.client.get_run(champion.run_id).data.params
    if "train_snapshots" not in params or "label_window_days" not in params:
        return None
    days = int(params["label_window_days"]) + int(params.get("label_delay_days", 0))
    last = datetime.fromisoformat(f"{params['train_snapshots'].split()[-1]}T00:00:00+00:00")
    return (last + timedelta(days=days)).isoformat()


def versions_of(registry: Registry, key: str) -> list[ModelVersion]:
    """Versions that a training made, newest first."""
    return [line for line in registry.versions() if line.tags.get(KEY) == key and LEFTOVER not in line.tags]


def note(registry: Registry, run_id: str, *, said: str, version: str) -> None:
    """Tell a run that was opened for nothing what was found instead."""
    with tracking(registry.tracking_uri):
        for key, value in {"retrain": said[:MAX_TAG], "model_version": version}.items():
            registry.client.set_tag(run_id, key, value)


def gates_as_json(gates: tuple[Gate, ...]) -> list[dict[str, Any]]:
    """Give the gates as plain values."""
    rows = [asdict(gate) | {"verdict": gate.verdict.value} for gate in gates]
    return [row | {"value": None if row["value"] != row["value"] else row["value"]} for row in rows]


def _logged(made: Publication, registry: Registry, *, on_step: OnStep) -> LoggedScore:
    found, lesson = made.case.examined, made.case.lesson
    log_evidence(made.report, score=found.score, label=lesson.label, pictures=found.pictures)
    gates = made.judgement.gates
    mlflow.log_metrics({f"gate_{gate.name}": gate.value for gate in gates if gate.value == gate.value})
    mlflow.log_metrics({f"gate_{gate.name}_passed": float(not gate.holds) for gate in gates})
    judged_by = {"policy": made.case.policy.version, "limits": asdict(made.case.limits)}
    mlflow.log_dict({"verdict": made.verdict, "gates": gates_as_json(gates)} | judged_by, "gates.json")
    mlflow.log_text(made.page, "gates.html")
    mlflow.log_dict(made.report.as_dict(), "report.json")
    on_step("storing the model in the run")
    return registry.log_score(found.score, example=example_of(lesson.judged.X), tags=made.tags)


def chosen(registry: Registry, version: str) -> ModelVersion:
    """Find one line of the registry.

    Raises
    ------
    BadInput
        There is no such version.
    """
    for line in registry.versions():
        if line.version == version:
            return line
    raise BadInput(f"{registry.name} has no version {version}; see: buyer-tier models list")
