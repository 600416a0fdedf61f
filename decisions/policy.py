"""The policy: frozen, versioned thresholds. The default is the platform's notice, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, Literal

from .in_force import BudgetLine, InForce, ShopLine, budget_lines, limits_in_force, shop_lines
from .limits import MOST_FEN, Budgets, Caps, CreditLine, Exploration, OpenCases, ShopLimits, limits_on
from .request import GoodsType
from .setting import DECLARED, Setting, setting
from .standing_policy import StandingPolicy

OptionalRule = Literal[
    "kill_switch", "shop_quality", "caps", "open_case", "credit_line", "budget", "exploration"
]
TIER_RULE: Final = (
    "quality_score_min",
    "low_score_max",
    "tier_hysteresis_points",
    "min_completed_orders",
    "min_tenure_days",
)
"""What of a policy makes the tier. Kept with each decision: a cut-off may have come from the model."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """Thresholds of one policy version; docs/policies.md lists every setting with its limits.

    Attributes
    ----------
    asks : frozenset of str
        Which of the rules beyond the notice's this policy turns on.
    needs_usage, needs_shop : bool
        Whether a decision must be given what was used, or measured of the shop.
    limits_when : dict
        Caps and credit line in force, by state of standing; ``eligible`` for all that reduce nothing.
    budget_lines, shop_lines : tuple
        The budgets and the limits of shop quality that are on.
    clock_tolerance, request_max_age : timedelta
        The settings of that name as spans.
    tier_rule : dict
        What makes the tier (`TIER_RULE`), by name.
    """

    version: str = field(metadata={DECLARED: Setting(doc="Name of this policy, written on every decision.")})
    stopped: bool = setting(False, "The kill switch: every request goes to a person.")
    cap_fen: int = setting(
        30_000, "The paid amount must be below this: 29,999 fen pass, 30,000 do not.", low=0, high=MOST_FEN
    )
    excluded_goods_types: tuple[GoodsType, ...] = setting(
        ("virtual", "customized"),
        "Goods that are never refunded automatically.",
        words=("physical", "virtual", "customized"),
    )
    only_shops: frozenset[str] = setting(frozenset(), "Only these shops; none named: all.")
    excluded_shops: frozenset[str] = setting(frozenset(), "Not these shops.")
    only_categories: frozenset[str] = setting(frozenset(), "Only these categories; none named: all.")
    excluded_categories: frozenset[str] = setting(frozenset(), "Not these categories.")
    quality_score_min: float | None = setting(
        740.0,
        "Where the quality tier is entered, in points, a calibrated probability: 740 are an expected abuse "
        "rate of 1.3 %. `guaranteed` demands the model's proven cut-off; without one nobody is a quality "
        "user.",
        low=300.0,
        high=900.0,
        none_word="guaranteed",
    )
    low_score_max: float = setting(
        680.0,
        "Below this the low tier is entered. 680 points are an expected abuse rate of 7.9 %.",
        low=300.0,
        high=900.0,
    )
    tier_hysteresis_points: float = setting(
        10.0,
        "How far beyond the edge a buyer of the quality or low tier must move to leave it. Quality is "
        "entered at `quality_score_min` and kept down to so many points below, in the notice 730, 1.8 %; "
        "low is entered below `low_score_max` and left so many points above.",
        low=0.0,
        high=600.0,
    )
    min_completed_orders: int = setting(
        3, "A buyer with fewer is new, never a quality user.", low=0, high=10**6
    )
    min_tenure_days: float = setting(
        30.0, "A buyer known for fewer days is new, never a quality user.", low=0.0, high=36_500.0
    )
    clock_tolerance_seconds: int = setting(
        300, "How far ahead of the service's clock a request may be dated.", low=0, high=86_400
    )
    request_max_age_days: float | None = setting(
        None, "How long before the service's clock a request may be dated.", low=0.0, high=36_500.0
    )
    shop: ShopLimits = field(default_factory=ShopLimits)
    caps: Caps = field(default_factory=Caps)
    open_cases: OpenCases = field(default_factory=OpenCases)
    credit_line: CreditLine = field(default_factory=CreditLine)
    budgets: Budgets = field(default_factory=Budgets)
    standing: StandingPolicy = field(default_factory=StandingPolicy)
    exploration: Exploration = field(default_factory=Exploration)
    asks: frozenset[OptionalRule] = field(init=False, repr=False, compare=False)
    needs_usage: bool = field(init=False, repr=False, compare=False)
    needs_ledger: bool = field(init=False, repr=False, compare=False)
    needs_shop: bool = field(init=False, repr=False, compare=False)
    limits_when: dict[str, InForce] = field(init=False, repr=False, compare=False)
    budget_lines: tuple[BudgetLine, ...] = field(init=False, repr=False, compare=False)
    shop_lines: tuple[ShopLine, ...] = field(init=False, repr=False, compare=False)
    clock_tolerance: timedelta = field(init=False, repr=False, compare=False)
    request_max_age: timedelta | None = field(init=False, repr=False, compare=False)
    tier_rule: dict[str, float | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every decision asks."""
        asks = frozenset(_asked(self))
        object.__setattr__(self, "asks", asks)
        needs_ledger = bool(asks & {"caps", "open_case", "credit_line"})
        object.__setattr__(self, "needs_ledger", needs_ledger)
        object.__setattr__(self, "needs_usage", needs_ledger or "budget" in asks)
        object.__setattr__(self, "needs_shop", "shop_quality" in asks)
        object.__setattr__(self, "limits_when", _limits_when(self))
        object.__setattr__(self, "budget_lines", budget_lines(self.budgets))
        object.__setattr__(self, "shop_lines", shop_lines(self.shop))
        object.__setattr__(self, "clock_tolerance", timedelta(seconds=self.clock_tolerance_seconds))
        oldest = self.request_max_age_days
        object.__setattr__(self, "request_max_age", None if oldest is None else timedelta(days=oldest))
        object.__setattr__(self, "tier_rule", {name: getattr(self, name) for name in TIER_RULE})

    def limits(self, state: str) -> InForce:
        """Give the caps and the credit line that hold in a state of standing."""
        return self.limits_when.get(state) or self.limits_when["eligible"]


def _asked(policy: Policy) -> list[OptionalRule]:
    on: dict[OptionalRule, bool] = {
        "kill_switch": policy.stopped,
        "shop_quality": bool(limits_on(policy.shop)),
        "caps": bool(limits_on(policy.caps)),
        "open_case": policy.open_cases.one_at_a_time,
        "credit_line": bool(limits_on(policy.credit_line)),
        "budget": bool(limits_on(policy.budgets)),
        "exploration": policy.exploration.review_share is not None,
    }
    return [rule for rule, is_on in on.items() if is_on]


def _limits_when(policy: Policy) -> dict[str, InForce]:
    shares = {
        "eligible": 100,
        "watch": policy.standing.watch_caps_percent,
        "probation": policy.standing.probation_caps_percent,
    }
    return {
        state: limits_in_force(policy.caps, policy.credit_line, percent=share)
        for state, share in shares.items()
    }


NOTICE = Policy(version="notice-2023-09-06")
"""The shipped default."""

GUARANTEED = replace(NOTICE, version=f"{NOTICE.version}-guaranteed", quality_score_min=None)
"""The notice with the quality tier's cut-off left to what the model proves; `with_guarantee` completes it."""

SHIPPED = {policy.version: policy for policy in (NOTICE, GUARANTEED)}
"""The policies that the product brings, by version."""


def with_guarantee(policy: Policy, cut_off: float | None) -> Policy:
    """Fill in a model's guaranteed cut-off where the policy demands one; others stay as they are.

    The budget must hold for whoever keeps the tier, so the guaranteed cut-off is where it is left, and it is
    entered `tier_hysteresis_points` above. Without any (`cut_off` None) the policy goes on approving nobody.

    The version tells what was filled in, as `notice-2023-09-06-guaranteed+guaranteed-725` or
    `…+guaranteed-none`: what a decision was made by must not depend on a model's tag alone.
    """
    if policy.quality_score_min is not None:
        return policy
    if cut_off is None:
        return replace(policy, version=f"{policy.version}+guaranteed-none")
    edge = cut_off + policy.tier_hysteresis_points
    return replace(policy, version=f"{policy.version}+guaranteed-{cut_off:g}", quality_score_min=edge)
