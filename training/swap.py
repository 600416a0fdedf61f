"""Who gains and who loses the quality tier when one model takes over from another, and the yuan behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from decisions.policy import Policy

from .evaluate import Floats

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class SwapSet:
    """Rows whose tier the two models see differently.

    Attributes
    ----------
    kept, gained, lost : int
        Quality under both, under the challenger alone, under the champion alone.
    gained_fen, lost_fen : int
        What of these the policy's hard rules would refund in the label window.
    gained_abusive, lost_abusive : int
        How many of them turned out abusive.
    """

    kept: int
    gained: int
    lost: int
    gained_fen: int
    lost_fen: int
    gained_abusive: int
    lost_abusive: int

    @property
    def share(self) -> float:
        """Rows that swap per row that was quality; 1 if none was and some are now."""
        before = self.kept + self.lost
        return (self.gained + self.lost) / before if before else float(self.gained > 0)


def swap_set(before: Mask, after: Mask, *, y: NDArray[np.int64], asked_fen: Floats) -> SwapSet:
    """Count rows that change their tier."""
    gained, lost = after & ~before, before & ~after
    return SwapSet(
        kept=int((before & after).sum()),
        gained=int(gained.sum()),
        lost=int(lost.sum()),
        gained_fen=int(asked_fen[gained].sum()),
        lost_fen=int(asked_fen[lost].sum()),
        gained_abusive=int(y[gained].sum()),
        lost_abusive=int(y[lost].sum()),
    )


def quality(points: Floats, X: pd.DataFrame, *, policy: Policy) -> Mask:
    """Tell which rows are quality users, as `decisions.tiers.tier_of` tells of one without a tier before.

    The edge is the one by which the tier is entered, for both models alike: what decisions buyers had met by
    then is not in the event log. Who is kept by the other edge swaps less than this counts.
    """
    least = np.inf if policy.quality_score_min is None else policy.quality_score_min
    return np.asarray(not_new(X, policy=policy) & (points >= least))


def not_new(X: pd.DataFrame, *, policy: Policy) -> Mask:
    """Tell which rows are not new; who has never paid has no tenure and is new."""
    completed = X["orders_completed_count_life"].to_numpy() >= policy.min_completed_orders
    tenure = X["days_since_first_order_paid"].to_numpy()
    return np.asarray(completed & (np.nan_to_num(tenure, nan=-1.0) >= policy.min_tenure_days))
