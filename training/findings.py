"""What a training of the abuse score finds out about it beyond its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from decisions.policy import NOTICE, Policy, with_guarantee
from models.buyer_score import BuyerScore
from models.calibration import BaseRateShift

from .climbing import Walk, walks_of
from .cut_off import cut_off_of, latest_rows
from .dataset import Dataset
from .fit import as_fitted, recalibrate
from .guarantee import Budget, Guarantee
from .labels import AbuseLabel
from .log import TrainingLog
from .scorecard import Scorecard, scorecard_of
from .slices import NOT_SLICED, Slice, slices_of


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Of a score, on rows that it has not learned from.

    Attributes
    ----------
    guarantee : Guarantee
        The quality tier's cut-off that keeps the budget, if there is one.
    slices : tuple of Slice
        Probabilities judged on all buyers and on parts of them.
    not_sliced : mapping of str to str
        What could not be looked at, and why.
    base_rate : BaseRateShift
        Whether the base rate had moved by then, and by how much the score was therefore moved.
    walks : tuple of Walk
        What it takes to gain the quality tier and to lose it.
    scorecard : Scorecard
        The readable challenger, and where it disagrees.
    """

    guarantee: Guarantee
    slices: tuple[Slice, ...]
    base_rate: BaseRateShift
    walks: tuple[Walk, ...]
    scorecard: Scorecard
    not_sliced: Mapping[str, str] = field(default_factory=lambda: NOT_SLICED)

    def metrics(self) -> dict[str, float]:
        """Give the figures that a run's chart can follow over trainings."""
        found = {"base_rate_shift": self.base_rate.shift}
        if self.guarantee.cut_off is not None:
            found["guaranteed_cut_off"] = self.guarantee.cut_off
        for part in self.slices:
            found[f"slice_{part.name}_predicted"] = part.predicted
            found[f"slice_{part.name}_observed"] = part.observed.value
            if part.roc_auc:
                found[f"slice_{part.name}_roc_auc"] = part.roc_auc.value
        return found


def findings_of(
    log: TrainingLog,
    *,
    score: BuyerScore,
    train: Dataset,
    test: Dataset,
    label: AbuseLabel,
    budget: Budget | None = None,
    policy: Policy = NOTICE,
    seed: int = 0,
) -> Findings:
    """Look into a fitted score; `test` came after all of `train`.

    What gains and what loses the tier is told by the edges that `policy` would have with this score.
    """
    before, shift = as_fitted(score), score.calibrator_.shift
    guarantee = cut_off_of(
        log, score=before, train=train, test=test, label=label, budget=budget, policy=policy, shift=shift
    )
    in_force = with_guarantee(policy, guarantee.cut_off)
    return Findings(
        guarantee=guarantee,
        slices=slices_of(log, score=score, rows=test, policy=in_force, seed=seed),
        base_rate=recalibrate(before, latest_rows(test))[1],
        walks=walks_of(score, policy=in_force),
        scorecard=scorecard_of(train=train, test=test, score=score, policy=in_force, seed=seed),
    )
