"""The policy: frozen, versioned thresholds. The default is the platform's notice, exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .request import GoodsType


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Thresholds of one policy version.

    Attributes
    ----------
    version : str
        Name of this policy, written on every decision.
    cap_fen : int
        The paid amount must be below this (300 yuan: 29,999 fen passes, 30,000 fen does not).
    excluded_goods_types : tuple of str
        Goods that are never refunded automatically.
    excluded_shops, excluded_categories : frozenset of str
        Scoping by shop and by category (the notice's 1.7.2); empty means all are in scope.
    quality_score_min : float or None
        Cut-off of the quality tier in points. The scale is a calibrated probability: 730 points are an
        expected abuse rate of 1.8 %. None demands the model's guaranteed cut-off (`with_guarantee`); until
        there is one, nobody is a quality user.
    low_score_max : float
        Below this the tier is ``low``. 680 points are an expected abuse rate of 7.9 %.
    tier_hysteresis_points : float
        How far beyond the edge a buyer of the quality or low tier must move to leave it: entered at
        `quality_score_min`, kept down to so many points below. 0 means that both edges are sharp.
    min_completed_orders : int
    min_tenure_days : float
        A buyer with less history is ``new``, never a quality user.
    clock_tolerance_seconds : int
        How far ahead of the service's clock a request may be dated.
    """

    version: str
    cap_fen: int = 30_000
    excluded_goods_types: tuple[GoodsType, ...] = ("virtual", "customized")
    excluded_shops: frozenset[str] = frozenset()
    excluded_categories: frozenset[str] = frozenset()
    quality_score_min: float | None = 730.0
    low_score_max: float = 680.0
    tier_hysteresis_points: float = 0.0
    min_completed_orders: int = 3
    min_tenure_days: float = 30.0
    clock_tolerance_seconds: int = 300


NOTICE = Policy(version="notice-2023-09-06")
"""The shipped default."""


def with_guarantee(policy: Policy, cut_off: float | None) -> Policy:
    """Fill in a model's guaranteed cut-off where the policy demands one; others stay as they are.

    The budget must hold for whoever keeps the tier, so the guaranteed cut-off is where it is left, and it is
    entered `tier_hysteresis_points` above. Without any (`cut_off` None) the policy goes on approving nobody.
    """
    if policy.quality_score_min is not None or cut_off is None:
        return policy
    return replace(policy, quality_score_min=cut_off + policy.tier_hysteresis_points)
