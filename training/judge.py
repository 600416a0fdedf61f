"""Hold a challenger against the champion on the same rows and ask every gate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from decisions.policy import Policy, with_guarantee
from models.registry import LoadedModel

from .clean_process import tried_alone
from .cut_off import exposure
from .dataset import Dataset
from .drift import Moved, feature_psi, informative
from .evaluate import (
    Floats,
    Interval,
    calibration_error,
    equal_mass_bins,
    ranking_measures,
    with_intervals,
)
from .examination import Examined, Lesson
from .gates import (
    Calibration,
    Gate,
    Views,
    calibration_gates,
    chance_gate,
    clean_process_gate,
    drift_gate,
    information_gate,
    money_gate,
    ranking_gates,
    roc_auc_gap,
    same_features_gate,
    swap_gate,
    unseen_gate,
)
from .halves import Seen, as_it_is, judged_by
from .limits import Limits
from .log import instant
from .paired import differences, ranking_and_money
from .slice_gates import approvals_beyond, slice_gates
from .slices import slice_masks
from .swap import Mask, SwapSet, quality, swap_set

N_DRAWS = 300
SCORE = "the score itself, in points"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is to be judged.

    Attributes
    ----------
    lesson : Lesson
        The rows that both models are judged on, and those that the challenger learned from.
    examined : Examined
        The challenger.
    newest : Dataset
        Today's rows.
    directory : Path
        Where the challenger lies as files.
    champion_learned_until : str or None
        When the last label that the champion learned from was complete, ISO 8601.
    damage : str
        Why the model in charge cannot be read, if it cannot.
    policy : Policy
        Who is a quality user; one that leaves the cut-off to the model gets each model's own.
    """

    lesson: Lesson
    examined: Examined
    newest: Dataset
    directory: Path
    champion: LoadedModel | None = None
    champion_learned_until: str | None = None
    damage: str = ""
    policy: Policy
    limits: Limits


@dataclass(frozen=True)
class Judgement:
    """All gates, and what the page shows beside them.

    Attributes
    ----------
    moved : tuple of Moved
        The score among those learned from and today, then the features compared, the most moved first.
    """

    gates: tuple[Gate, ...]
    gaps: Mapping[str, Interval]
    swapped: SwapSet | None
    challenger: Views
    champion: Views | None
    moved: tuple[Moved, ...] = ()

    @property
    def promotes(self) -> bool:
        """Whether no gate holds."""
        return not any(gate.holds for gate in self.gates)

    @property
    def holding(self) -> tuple[Gate, ...]:
        """The gates that keep the challenger out."""
        return tuple(gate for gate in self.gates if gate.holds)


def judge(case: Case) -> Judgement:
    """Ask every gate."""
    names = list(case.lesson.judged.X.columns)
    known = _names(case.champion)
    other = _other_catalog(case)
    comparable = known == names and not other
    judged = case.lesson.judged
    challenger = _views(seen_by(case), case, cut_off=_guaranteed(case.examined))
    champion = None
    if case.champion and comparable:
        champion = _views(
            as_it_is(case.champion.score, judged), case, cut_off=case.champion.guaranteed_cut_off
        )
    lesson = case.lesson
    asked, _ = exposure(lesson.window.log, lesson.judged, label=lesson.label, policy=case.policy)
    gaps = _gaps(case, champion, challenger, asked) if champion else None
    swapped = None
    if champion:
        swapped = swap_set(champion.quality, challenger.quality, y=case.lesson.judged.y, asked_fen=asked)
    score, *features = moved = _moved(case)
    gates = [
        same_features_gate(names, known, versions=other, damage=case.damage),
        information_gate(
            case.examined.report.silent_features,
            known=informative(case.champion.score) if case.champion else None,
        ),
        unseen_gate(instant(case.lesson.judged.as_of.min()).isoformat(), case.champion_learned_until),
        chance_gate(_auc(case, challenger.ranked)),
        *ranking_gates(gaps, case.limits),
        money_gate(gaps, case.limits, approves=champion is None or bool(champion.quality.any())),
        *calibration_gates(
            _calibration(case, challenger.p),
            _calibration(case, champion.p) if champion else None,
            case.limits,
        ),
        *_slices(case, champion, challenger),
        swap_gate(swapped, case.limits),
        drift_gate(score.psi, {one.name: one.psi for one in features}, case.limits),
        clean_process_gate(tried_alone(case.directory), case.limits),
    ]
    return Judgement(tuple(gates), gaps or {}, swapped, challenger, champion, tuple(moved))


def seen_by(case: Case) -> Seen:
    """Look at the judged rows as the challenger sees them.

    A cut-off that the policy leaves to the model lies on the scale of the stored model and goes by its order
    alone: by the points of the halves, which are moved otherwise, it would approve others than were proven.
    """
    score, rows = case.examined.score, case.lesson.judged
    seen = judged_by(score, rows)
    return seen if case.policy.quality_score_min is not None else replace(seen, points=score.points(rows.X))


def _names(champion: LoadedModel | None) -> list[str] | None:
    return None if champion is None else [str(n) for n in champion.score.get_feature_names_out()]


def _other_catalog(case: Case) -> str:
    if case.champion is None or case.champion.catalog_version == case.examined.score.catalog_version:
        return ""
    return f"catalog {case.champion.catalog_version} then, {case.examined.score.catalog_version} now"


def _guaranteed(found: Examined) -> float | None:
    return found.report.findings.guarantee.cut_off if found.report.findings else None


def _views(seen: Seen, case: Case, *, cut_off: float | None) -> Views:
    policy = with_guarantee(case.policy, cut_off)
    tier = quality(seen.points, case.lesson.judged.X, policy=policy)
    return Views(seen.p, tier, policy.quality_score_min, seen.ranked)


def _gaps(case: Case, champion: Views, challenger: Views, asked: Floats) -> dict[str, Interval]:
    y = case.lesson.judged.y
    old, new = (
        ranking_and_money(y, seen.ranked, lost_fen=asked * seen.quality * y, asked_fen=asked)
        for seen in (champion, challenger)
    )
    return differences(old, new, groups=case.lesson.judged.buyer, seed=case.lesson.seed, n_draws=N_DRAWS)


def _auc(case: Case, p: Floats) -> Interval:
    auc = {"auc": ranking_measures(case.lesson.judged.y, p)["roc_auc"]}
    return with_intervals(auc, groups=case.lesson.judged.buyer, seed=case.lesson.seed, n_draws=N_DRAWS)["auc"]


def _calibration(case: Case, p: Floats) -> Calibration:
    y, bins = case.lesson.judged.y.astype(np.float64), equal_mass_bins(p)
    found = with_intervals(
        {
            "error": lambda weight: calibration_error(y, p, weight, bins=bins),
            "ratio": lambda weight: float(weight @ y) / float(weight @ p),
        },
        groups=case.lesson.judged.buyer,
        seed=case.lesson.seed,
        n_draws=N_DRAWS,
    )
    return Calibration(found["error"], found["ratio"])


def _slices(case: Case, champion: Views | None, challenger: Views) -> Iterator[Gate]:
    judged, serving = case.lesson.judged, champion or challenger

    def interval(measure: Callable[[Floats], float], rows: Mask) -> Interval:
        groups, seed = judged.buyer[rows], case.lesson.seed
        return with_intervals({"gap": measure}, groups=groups, seed=seed, n_draws=N_DRAWS)["gap"]

    def gap_of(rows: Mask) -> Interval:
        return interval(roc_auc_gap(judged.y[rows], serving.ranked[rows], challenger.ranked[rows]), rows)

    def beyond_of(rows: Mask, kept: float) -> Interval:
        return interval(approvals_beyond(serving.quality[rows], challenger.quality[rows], kept=kept), rows)

    masks = slice_masks(case.lesson.window.log, case.lesson.judged, policy=case.policy)
    return slice_gates(
        {name: rows for name, rows in masks.items() if name != "all"},
        y=case.lesson.judged.y,
        champion=champion,
        challenger=challenger,
        gap_of=gap_of,
        beyond_of=beyond_of,
        limits=case.limits,
    )


def _moved(case: Case) -> list[Moved]:
    first = instant(int(case.lesson.window.log.frame["recorded"].min()))
    history = instant(case.lesson.learned.as_of.min()) - first
    score, then, now = case.examined.score, case.lesson.learned.X, case.newest.X
    found = feature_psi(score, then, now, history=history)
    features = [Moved.of(name, then[name], now[name], index=index) for name, index in found.items()]
    return [Moved.of(SCORE, score.points(then), score.points(now)), *features]
