"""What no single setting shows: settings that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from .policy import SHIPPED, Policy
from .policy_settings import Path


def contradictions(policy: Policy) -> Iterator[tuple[Path, str]]:
    """Yield the setting to change and why, for every contradiction."""
    if SHIPPED.get(policy.version, policy) != policy:
        yield ("version",), "is a shipped policy's, and this is another; name yours"
    yield from _tiers(policy)
    yield from _scope(policy)
    yield from _standing(policy)


def _tiers(policy: Policy) -> Iterator[tuple[Path, str]]:
    quality, slack = policy.quality_score_min, policy.tier_hysteresis_points
    if quality is not None and quality - slack < policy.low_score_max:
        left = f"{quality - slack:g}, where the quality tier is left"
        yield ("low_score_max",), f"is {policy.low_score_max:g}, must not be above {left}"


def _scope(policy: Policy) -> Iterator[tuple[Path, str]]:
    for only, excluded, name in (
        (policy.only_shops, policy.excluded_shops, "excluded_shops"),
        (policy.only_categories, policy.excluded_categories, "excluded_categories"),
    ):
        if both := sorted(only & excluded):
            yield (name,), f"names {both[0]!r}, which the policy also says is among the only ones"


def _standing(policy: Policy) -> Iterator[tuple[Path, str]]:
    standing, points = policy.standing, policy.standing.points
    steps = [
        (name, value)
        for name in ("watch_points", "restrict_points", "revoke_points")
        if (value := getattr(standing, name)) is not None
    ]
    for (before, less), (name, value) in pairwise(steps):
        if value < less:
            yield ("standing", name), f"is {value}, must not be below {before}, which is {less}"
    weighs = any((points.dispute_lost, points.found_shipped, points.cap_hit, points.linked_abuse))
    own = any((points.dispute_lost, points.found_shipped, points.cap_hit))
    if steps and not own:
        yield ("standing", steps[0][0]), "is never reached: no signal of the buyer's own weighs any points"
    decays = standing.strike_half_life_days or standing.strike_expires_days
    if weighs and decays is None:
        yield (
            ("standing", "points"),
            "weighs strikes that never end; set standing.strike_half_life_days or strike_expires_days",
        )
