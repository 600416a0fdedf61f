"""Gates group by group: nobody pays for the average."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from .evaluate import Floats, Interval
from .gates import NOBODY, Gate, Verdict, Views
from .limits import Limits
from .slices import WORDS
from .swap import Mask


def slice_gates(
    groups: Mapping[str, Mask],
    *,
    y: NDArray[np.int64],
    champion: Views | None,
    challenger: Views,
    gap_of: Callable[[Mask], Interval],
    beyond_of: Callable[[Mask, float], Interval],
    limits: Limits,
) -> Iterator[Gate]:
    """Ask that no group of buyers pays for the average: its ranking, and its honest buyers' tier.

    Harmed is what loses more than the limit, and more than chance explains.

    Where honest quality users become fewer everywhere, a group is harmed by what it loses beyond its share of
    that: a group in which all have the tier loses more of them than one in which few do. How many the level
    of the whole costs is what the swap set asks.
    """
    kept = _kept_of_all(champion, challenger, y == 0) if champion else 1.0
    for name, rows in groups.items():
        title, key = f"no group is harmed: {WORDS[name]}", f"slice_{name}"
        if champion is None:
            yield Gate(key, title, NOBODY, "", Verdict.open)
            continue
        honest = rows & (y == 0)
        if honest.sum() < limits.slice_rows:
            yield Gate(key, title, f"too few to judge ({int(rows.sum())} rows)", "", Verdict.open)
            continue
        before, after = (float(seen.quality[honest].mean()) for seen in (champion, challenger))
        approval, expected, beyond = after - before, before * (kept - 1.0), beyond_of(honest, kept)
        enough = int(y[rows].sum()) >= limits.slice_positives
        gap = gap_of(rows) if enough else None
        hurt = _lost(beyond, limits.slice_approval_loss)
        hurt |= gap is not None and _lost(gap, limits.slice_roc_auc_loss)
        said = f"ROC-AUC {gap.value:+.3f}, " if gap else "too few abusers to rank, "
        yield Gate(
            key,
            title,
            f"{said}honest quality users {approval:+.1%}, at best {beyond.high + expected:+.1%}"
            + (f" ({expected:+.1%} if as all others)" if kept < 1 else ""),
            f"not below {-limits.slice_roc_auc_loss:+.2f}, {-limits.slice_approval_loss:+.0%}"
            + (" beyond that" if kept < 1 else ""),
            Verdict.of(not hurt),
            approval,
        )


def _lost(gap: Interval, limit: float) -> bool:
    return round(gap.value, 9) < -limit and gap.high < 0


def approvals_beyond(champion: Mask, challenger: Mask, *, kept: float) -> Callable[[Floats], float]:
    """Measure the share of quality users beyond ``kept`` of what it was, on weighed rows."""
    beyond = challenger - kept * champion
    return lambda weight: float(weight @ beyond) / float(weight.sum()) if weight.any() else 0.0


def _kept_of_all(champion: Views, challenger: Views, honest: Mask) -> float:
    """Tell which part of the honest quality users there still would be, at most all."""
    before = int(champion.quality[honest].sum())
    return min(int(challenger.quality[honest].sum()) / before, 1.0) if before else 1.0
