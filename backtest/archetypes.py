"""What became of each kind of abuser, and of the honest kinds that must not be punished."""

from __future__ import annotations

from typing import Any

import numpy as np

from .figures import Scene
from .taken import DAY_US


def by_archetype(scene: Scene, n: int) -> list[dict[str, Any]]:
    """Count what became of the abusers of each kind, and of the honest kinds that must not be punished."""
    buyers, one, taken = scene.buyers, scene.judged[n], scene.judged[n].taken
    if buyers.truth is None:
        return []
    kinds = np.array(buyers.truth.archetype, dtype=object)
    seen = len(kinds)
    asked = buyers.summed(scene.outcomes.before)[:seen]
    auto = buyers.summed(one.auto)[:seen]
    fen = buyers.summed(np.where(one.auto, scene.outcomes.fen, 0))[:seen]
    rows = []
    for kind in sorted(set(kinds.tolist())):
        of = kinds == kind
        who = of & (buyers.abuser[:seen] | ~buyers.truth.is_abuser)
        timed = who & taken.revoked[:seen] & (taken.revoked_at[:seen] >= buyers.since)
        days = np.maximum(taken.revoked_at - buyers.starts, 0)[:seen][timed] / DAY_US
        abuses = bool(buyers.truth.is_abuser[of].any())
        rows.append(
            {
                "archetype": kind,
                "abuses": abuses,
                "buyers": int(who.sum()),
                "caught": int((who & taken.ever[:seen]).sum()),
                "caught_by_rules": int((who & taken.ever[:seen] & ~taken.by_log[:seen]).sum()),
                "days_until_revoked": float(np.median(days)) if abuses and len(days) else None,
                "requests": int(asked[who].sum()),
                "auto": int(auto[who].sum()),
                "auto_fen": int(fen[who].sum()),
            }
        )
    return sorted(rows, key=lambda row: (not row["abuses"], -row["auto_fen"]))
