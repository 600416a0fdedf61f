"""Two versions side by side: what their runs say, or both judged again on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from decisions.policy import NOTICE, Policy, with_guarantee
from features.errors import BadInput
from models.registry import LoadedModel, Registry

from .cut_off import exposure
from .dataset import build_dataset
from .evaluate import Interval
from .fit import require_both_classes
from .judge import N_DRAWS
from .labels import AbuseLabel
from .paired import Measures, differences, ranking_and_money
from .publish import chosen
from .swap import quality
from .window import newest_window


@dataclass(frozen=True)
class Line:
    """One measure of two versions; `low` and `high` bound the difference, second minus first."""

    measure: str
    first: float
    second: float
    low: float | None = None
    high: float | None = None


def of_runs(registry: Registry, first: str, second: str) -> list[Line]:
    """Put the figures of two runs beside each other, those that both have.

    Raises
    ------
    BadInput
        A version is not there.
    """
    old, new = chosen(registry, first), chosen(registry, second)
    both = [name for name in old.metrics if name in new.metrics and not name.endswith(("_low", "_high"))]
    plain = [name for name in both if not name.startswith("gate_")]
    return [Line(name, old.metrics[name], new.metrics[name]) for name in plain]


def judged_again(
    registry: Registry, first: str, second: str, *, events: pa.Table, policy: Policy = NOTICE, seed: int = 0
) -> list[Line]:
    """Judge two versions on the newest complete window of a log.

    Raises
    ------
    BadInput
        A version reads other features than this code computes.
    NoMatureSnapshot
        No window is complete.
    """
    label = AbuseLabel()
    window = newest_window(events, label=label, seed=seed)
    rows = build_dataset(window.log, label=label, snapshots=window.split.test)
    require_both_classes(rows, purpose="judge on")
    asked, _ = exposure(window.log, rows, label=label, policy=policy)

    def measures(version: str) -> Measures:
        model = _readable(registry.load(version), list(rows.X.columns))
        p, in_force = (
            model.score.predict_proba(rows.X)[:, 1],
            with_guarantee(policy, model.guaranteed_cut_off),
        )
        lost = asked * quality(model.score.points(rows.X), rows.X, policy=in_force) * rows.y
        return ranking_and_money(rows.y, p, lost_fen=lost, asked_fen=asked)

    old, new = measures(first), measures(second)
    gaps: dict[str, Interval] = differences(old, new, groups=rows.buyer, seed=seed, n_draws=N_DRAWS)
    whole = np.ones(len(rows))
    return [Line(n, old[n](whole), new[n](whole), gap.low, gap.high) for n, gap in gaps.items()]


def _readable(model: LoadedModel, names: list[str]) -> LoadedModel:
    own = [str(name) for name in model.score.get_feature_names_out()]
    if own != names:
        odd = sorted(set(own) ^ set(names))[:5] or ["their order"]
        raise BadInput(f"version {model.version} reads other features than this code: {', '.join(odd)}")
    return model
