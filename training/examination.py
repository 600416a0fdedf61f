"""What a fitted score of abuse is worth on rows that came later: the one path of `train` and `retrain`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from matplotlib.figure import Figure

from decisions.policy import NOTICE, Policy
from features.catalog import CATALOG
from models.buyer_score import BuyerScore
from models.registry import BUYER_SCORE

from .cut_off import latest_rows
from .dataset import Dataset, build_dataset, population_sizes
from .drift import without_information
from .evaluate import evaluate
from .figures import figures, reliability_by_slice
from .findings import findings_of
from .fit import fit_score, new_score, recalibrate, require_both_classes
from .guarantee import Budget
from .halves import judged_by
from .labels import AbuseLabel
from .provenance import git_commit
from .report import TrainingReport, rows_of
from .window import LabelWindow

TASK: Final = "abuse"
EXPERIMENT: Final = "buyer-tier/abuse"


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """The rows of a label window: those to learn from, and later ones to be judged on."""

    window: LabelWindow
    label: AbuseLabel
    learned: Dataset
    judged: Dataset
    seed: int


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A score with what was found out about it; neither a run nor a version yet."""

    score: BuyerScore
    report: TrainingReport
    pictures: Mapping[str, Figure]


def lesson_of(window: LabelWindow, *, label: AbuseLabel, seed: int) -> Lesson:
    """Compute features and labels of a window.

    Raises
    ------
    OneClassOnly
        The rows to be judged on hold one class only.
    """
    split = window.split
    rows = build_dataset(window.log, label=label, snapshots=[*split.train, *split.test])
    learned, judged = rows.at(split.train), rows.at(split.test)
    require_both_classes(judged, purpose="judge on")
    return Lesson(window=window, label=label, learned=learned, judged=judged, seed=seed)


def fitted(lesson: Lesson) -> BuyerScore:
    """Fit the catalog's score on the rows to learn from, and move it to the base rate of those judged on.

    Those are the newest rows whose labels are complete. Only the intercept moves, by one row per buyer, and
    only on evidence; how the score is judged on them nevertheless: `training.halves`.

    Raises
    ------
    OneClassOnly
        They hold one class only.
    """
    score = fit_score(new_score(seed=lesson.seed), lesson.learned, maturity=lesson.label.maturity)
    return recalibrate(score, latest_rows(lesson.judged))[0]


def examined(
    score: BuyerScore,
    lesson: Lesson,
    *,
    tracking_uri: str,
    policy: Policy = NOTICE,
    budget: Budget | None = None,
    champion: bool = False,
) -> Examined:
    """Measure a score on the rows that it has not learned from, and look into it.

    Where these rows have moved its base rate, each half of the buyers is seen by what the other half says.

    Parameters
    ----------
    policy : Policy
        Whose rules and edges are looked at; one that leaves the cut-off to the model gets this model's.
    champion : bool
        Whether the report is of a model that takes charge without being asked.
    """
    window, test, seed = lesson.window, lesson.judged, lesson.seed
    seen = judged_by(score, test)
    metrics = evaluate(test.y, seen.p, ranked_by=seen.ranked, groups=test.buyer, seed=seed)
    pictures = figures(score, test, metrics=metrics, outcome="abuse", seed=seed)
    found = findings_of(
        window.log,
        score=score,
        train=lesson.learned,
        test=test,
        label=lesson.label,
        budget=budget,
        policy=policy,
        seed=seed,
    )
    pictures["reliability_by_slice.png"] = reliability_by_slice(found.slices)
    sizes = population_sizes(window.newest, label=lesson.label, snapshots=window.split.immature)
    report = TrainingReport(
        task=TASK,
        tracking_uri=tracking_uri,
        experiment=EXPERIMENT,
        model_name=BUYER_SCORE,
        champion=champion,
        catalog_version=CATALOG.version,
        data_fingerprint=window.data_fingerprint,
        git_commit=git_commit(),
        known_until=window.complete_at,
        seed=seed,
        rows=rows_of(lesson.learned, test, immature=sizes),
        metrics=metrics,
        findings=found,
        silent_features=without_information(lesson.learned.X),
    )
    return Examined(score=score, report=report, pictures=pictures)
