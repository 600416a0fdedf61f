"""The figures of a policy month by month and of requests alike, all of requests before shipment."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from .bootstrap import Floats, divided
from .figures import Scene
from .history import History
from .outcomes import HOUR_US

BANDS_FEN: Final = (0, 10_000, 20_000, 30_000)
MOST_SLICES: Final = 12
MOSTLY: Final = 0.5
A_DAY: Final = timedelta(days=1)


def over_time(scene: Scene, n: int) -> list[dict[str, Any]]:
    """Give the figures of every month, and whether the history covers all of it."""
    names = scene.history.requests["requested_at"].to_numpy().astype("datetime64[M]").astype(str)
    taken = scene.judged[n].taken
    months = taken.revoked_at[taken.revoked].astype("datetime64[us]").astype("datetime64[M]").astype(str)
    return [
        row
        | {
            "whole": _is_whole(scene.history, row["month"]),
            "revoked": int((months == row["month"]).sum()),
        }
        for row in _groups(scene, n, names, "month")
    ]


def _is_whole(history: History, month: str) -> bool:
    """Tell whether the history covers a month, but for less than a day at either end."""
    first = datetime.fromisoformat(f"{month}-01").replace(tzinfo=history.since.tzinfo)
    after = (first + 32 * A_DAY).replace(day=1)
    return history.since - first < A_DAY and after - history.until < A_DAY


def by_slice(scene: Scene, n: int) -> dict[str, list[dict[str, Any]]]:
    """Give the figures of requests alike: by amount, category, goods, tier."""
    requests = scene.history.requests
    columns = {
        "amount": _bands(requests["paid_amount_fen"].to_numpy()),
        "category": pc.fill_null(requests["category_id"], "none").to_numpy(zero_copy_only=False),
        "goods": requests["goods_type"].to_numpy(zero_copy_only=False),
        "tier": scene.judged[n].tier,
    }
    return {name: _groups(scene, n, values, name)[:MOST_SLICES] for name, values in columns.items()}


def _bands(fen: npt.NDArray[np.int64]) -> npt.NDArray[np.object_]:
    """Name the band of each amount: those of the notice, or quarters where most lie above its cap."""
    edges = list(BANDS_FEN)
    if len(fen) and np.mean(fen >= BANDS_FEN[-1]) > MOSTLY:
        edges = [
            0,
            *np.unique(np.quantile(fen, (0.25, 0.5, 0.75)).astype(np.int64) // 10_000 * 10_000 + 10_000),
        ]
    words = [f"{a // 100:,}–{b // 100:,} yuan" for a, b in pairwise(edges)]
    names = np.array([*words, f"{edges[-1] // 100:,} yuan and more"], dtype=object)
    return np.asarray(names[np.searchsorted(edges, fen, side="right") - 1])


def _groups(scene: Scene, n: int, keys: npt.NDArray[Any], name: str) -> list[dict[str, Any]]:
    one, o = scene.judged[n], scene.outcomes
    found, group = np.unique(keys.astype(str), return_inverse=True)
    columns = {
        "requests": o.before,
        "auto": one.auto,
        "auto_fen": np.where(one.auto, o.fen, 0),
        "loss_fen": one.losses.total,
        "worst_fen": one.losses.total + one.losses.worst,
        "unknown": one.losses.unknown,
        "hours_saved": np.where(one.auto & o.by_person, o.answered_us / HOUR_US, 0.0),
    }
    sums: dict[str, Floats] = {
        k: np.bincount(group, weights=v.astype(float)).astype(np.float64) for k, v in columns.items()
    }
    share = divided(sums["auto"], sums["requests"])
    rows = [
        {name: str(key), "auto_share": float(share[g]) if sums["requests"][g] else None}
        | {k: float(v[g]) if k == "hours_saved" else int(v[g]) for k, v in sums.items()}
        for g, key in enumerate(found)
    ]
    return rows if name == "month" else sorted(rows, key=lambda row: -int(row["requests"]))
