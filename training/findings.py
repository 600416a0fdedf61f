"""What a training of the abuse score finds out about it beyond its metrics."""

from __future__ import annotations

from dataclasses import dataclass

from models.buyer_score import BuyerScore

from .cut_off import cut_off_of
from .dataset import Dataset
from .guarantee import Guarantee
from .labels import AbuseLabel
from .log import TrainingLog


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Of a score, on rows that it has not learned from.

    Attributes
    ----------
    guarantee : Guarantee
        The quality tier's cut-off that keeps the budget, if there is one.
    """

    guarantee: Guarantee


def findings_of(
    log: TrainingLog, *, score: BuyerScore, train: Dataset, test: Dataset, label: AbuseLabel
) -> Findings:
    """Look into a fitted score; `test` came after all of `train`."""
    return Findings(guarantee=cut_off_of(log, score=score, train=train, test=test, label=label))
