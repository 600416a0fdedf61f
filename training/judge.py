"""Hold a challenger against the champion on the same rows and ask every gate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from decisions.policy import Policy
from models.buyer_score import BuyerScore
from models.registry import LoadedModel

from .clean_process import tried_alone
from .dataset import Dataset
from .drift import feature_psi, informative, psi, without_information
from .evaluate import (
    Floats,
    Interval,
    calibration_error,
    equal_mass_bins,
    ranking_measures,
    with_intervals,
)
from .gates import (
    Calibration,
    Gate,
    Limits,
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
    slice_gates,
    swap_gate,
    unseen_gate,
)
from .groups import groups_of
from .labels import AbuseLabel
from .log import instant
from .paired import differences, ranking_and_money
from .swap import Mask, SwapSet, asked_back, quality, swap_set
from .window import LabelWindow

N_DRAWS = 300


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is to be judged.

    Attributes
    ----------
    learned, judged, newest : Dataset
        Rows learned from, rows that both models are judged on, and today's rows.
    directory : Path
        Where the challenger lies as files.
    champion_learned_until : str or None
        When the last label that the champion learned from was complete, ISO 8601.
    """

    window: LabelWindow
    label: AbuseLabel
    learned: Dataset
    judged: Dataset
    newest: Dataset
    score: BuyerScore
    directory: Path
    champion: LoadedModel | None = None
    champion_learned_until: str | None = None
    policy: Policy
    limits: Limits
    seed: int


@dataclass(frozen=True)
class Judgement:
    """All gates, and what the page shows beside them."""

    gates: tuple[Gate, ...]
    gaps: Mapping[str, Interval]
    swapped: SwapSet | None
    challenger: Views
    champion: Views | None

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
    names = list(case.judged.X.columns)
    known = _names(case.champion)
    other = _other_catalog(case)
    comparable = known == names and not other
    challenger = _views(case.score, case)
    champion = _views(case.champion.score, case) if case.champion and comparable else None
    asked = asked_back(case.window.log, case.judged, label=case.label, policy=case.policy)
    gaps = _gaps(case, champion, challenger, asked.astype(np.float64)) if champion else None
    swapped = None
    if champion:
        swapped = swap_set(champion.quality, challenger.quality, y=case.judged.y, asked_fen=asked)
    gates = [
        same_features_gate(names, known, versions=other),
        information_gate(
            without_information(case.learned.X),
            known=informative(case.champion.score) if case.champion else None,
        ),
        unseen_gate(instant(case.judged.as_of.min()).isoformat(), case.champion_learned_until),
        chance_gate(_auc(case, challenger.p)),
        *ranking_gates(gaps, case.limits),
        money_gate(gaps, case.limits),
        *calibration_gates(
            _calibration(case, challenger.p),
            _calibration(case, champion.p) if champion else None,
            case.limits,
        ),
        *_slices(case, champion, challenger),
        swap_gate(swapped, case.limits),
        _drift(case),
        clean_process_gate(tried_alone(case.directory), case.limits),
    ]
    return Judgement(tuple(gates), gaps or {}, swapped, challenger, champion)


def _names(champion: LoadedModel | None) -> list[str] | None:
    return None if champion is None else [str(n) for n in champion.score.get_feature_names_out()]


def _other_catalog(case: Case) -> str:
    if case.champion is None or case.champion.catalog_version == case.score.catalog_version:
        return ""
    return f"catalog {case.champion.catalog_version} then, {case.score.catalog_version} now"


def _views(score: BuyerScore, case: Case) -> Views:
    p = score.predict_proba(case.judged.X)[:, 1]
    return Views(p, quality(score, case.judged.X, policy=case.policy))


def _gaps(case: Case, champion: Views, challenger: Views, asked: Floats) -> dict[str, Interval]:
    y = case.judged.y
    old, new = (
        ranking_and_money(y, seen.p, lost_fen=asked * seen.quality * y, asked_fen=asked)
        for seen in (champion, challenger)
    )
    return differences(old, new, groups=case.judged.buyer, seed=case.seed, n_draws=N_DRAWS)


def _auc(case: Case, p: Floats) -> Interval:
    auc = {"auc": ranking_measures(case.judged.y, p)["roc_auc"]}
    return with_intervals(auc, groups=case.judged.buyer, seed=case.seed, n_draws=N_DRAWS)["auc"]


def _calibration(case: Case, p: Floats) -> Calibration:
    y, bins = case.judged.y.astype(np.float64), equal_mass_bins(p)
    found = with_intervals(
        {
            "error": lambda weight: calibration_error(y, p, weight, bins=bins),
            "ratio": lambda weight: float(weight @ y) / float(weight @ p),
        },
        groups=case.judged.buyer,
        seed=case.seed,
        n_draws=N_DRAWS,
    )
    return Calibration(found["error"], found["ratio"])


def _slices(case: Case, champion: Views | None, challenger: Views) -> Iterator[Gate]:
    def gap_of(rows: Mask) -> Interval:
        old = champion.p[rows] if champion else challenger.p[rows]
        gap = roc_auc_gap(case.judged.y[rows], old, challenger.p[rows])
        groups = case.judged.buyer[rows]
        return with_intervals({"gap": gap}, groups=groups, seed=case.seed, n_draws=N_DRAWS)["gap"]

    return slice_gates(
        groups_of(case.judged.X),
        y=case.judged.y,
        champion=champion,
        challenger=challenger,
        gap_of=gap_of,
        limits=case.limits,
    )


def _drift(case: Case) -> Gate:
    first = instant(int(case.window.log.frame["recorded"].min()))
    history = instant(case.learned.as_of.min()) - first
    features = feature_psi(case.score, case.learned.X, case.newest.X, history=history)
    score = psi(case.score.points(case.learned.X), case.score.points(case.newest.X))
    return drift_gate(score, features, case.limits)
