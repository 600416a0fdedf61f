"""What was asked of the score, and whether the figures say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.quality_measures import Drawn
from benchmarks.quality_methods import BEGUN, ORACLE, OURS
from training.evaluate import Interval

SIMPLE: Final = ("rate", "order-size", "logistic", "lightgbm")
"""On what one has in an afternoon."""
ON_OURS: Final = (*SIMPLE, "logistic-ours", "scorecard")
"""Also simple methods that are given our features."""
ORACLES: Final = (ORACLE, BEGUN)
LEAD: Final = 0.02
ORACLE_SHARE: Final = 0.9
RANKING: Final = ("roc_auc", "average_precision")


@dataclass(frozen=True)
class Bar:
    """One demand: the figure, what it must reach, and whether it does (the value, not its interval's end)."""

    words: str
    figure: Interval
    limit: float

    @property
    def met(self) -> bool:
        """At the limit is met, except that "ahead" (limit 0) asks for more than equal."""
        return self.figure.value > 0 if self.limit == 0 else self.figure.value >= self.limit

    @property
    def verdict(self) -> str:
        """Say whether it is met, and whether chance could have done it."""
        if not self.met:
            return "NOT MET"
        return "met" if self.figure.low >= self.limit else "met, interval reaches below"


def bars(real: Drawn | None, markets: Drawn | None) -> list[Bar]:
    """Judge what there is beside ours."""
    real, markets = (drawn if drawn and OURS in drawn.methods else None for drawn in (real, markets))
    found = list(_ahead(real)) if real else []
    if real:
        found += [_lead(real, SIMPLE, "plain features"), _lead(real, ON_OURS, "any features")]
    if markets:
        found += _ahead(markets)
        for oracle in ORACLES:
            if oracle in markets.methods:
                found += _oracle(markets, oracle)
    return found


def _ahead(drawn: Drawn) -> Iterator[Bar]:
    for measure in RANKING:
        for other in drawn.methods:
            if other not in (OURS, *ORACLES):
                words = f"{drawn.dataset}: {measure} ahead of {other}"
                yield Bar(words, drawn.ahead(OURS, other, measure), 0.0)


def _lead(real: Drawn, among: Sequence[str], features: str) -> Bar:
    best = max((m for m in among if m in real.methods), key=lambda m: real.of(m, "roc_auc").value)
    words = f"{real.dataset}: roc_auc over the best simple method on {features} ({best})"
    return Bar(words, real.ahead(OURS, best, "roc_auc"), LEAD)


def _oracle(markets: Drawn, oracle: str) -> Sequence[Bar]:
    words = f"average_precision as a share of {oracle}'s"
    each = [
        Bar(f"{name}: {words}", markets.share(OURS, oracle, "average_precision", at=name), ORACLE_SHARE)
        for name in markets.snapshots
    ]
    mean = markets.share(OURS, oracle, "average_precision")
    return [Bar(f"{markets.dataset}: {words}", mean, ORACLE_SHARE), *each]
