"""One score, told three ways: to the buyer, to the merchant, to the operator; in Chinese and English.

The buyer hears what counted and what would change it. The merchant hears why the refund was automatic and
nothing of the buyer. The operator sees everything: every feature's value and contribution, adding up to the
raw score, how that becomes points, and what would have to be different.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from decisions.case import Verdict
from decisions.engine import Outcome, message_of
from decisions.policy import Policy
from decisions.request import BuyerEvidence
from decisions.tiers import Tier, lacks_only_a_payment, tier_of
from features.catalog import CATALOG
from features.online import rows_vector
from features.rows import Row

from .buyer_score import BuyerScore
from .buyer_words import Text, words_of
from .counterfactual import Counterfactual, counted, counterfactuals
from .evidence import buyer_evidence
from .reasons import Reason

BUYER_REASONS: Final = 3
LEAST_EFFECT: Final = 0.05
"""In log-odds; what moves the score less is not worth a sentence to the buyer."""


@dataclass(frozen=True, kw_only=True)
class BuyerReason:
    """One reason as the buyer hears it; `change` only where it hurts."""

    code: str
    helps: bool
    what: Text
    change: Text | None


@dataclass(frozen=True, kw_only=True)
class BuyerExplanation:
    """What the buyer is told: no points, no probability, nothing of others."""

    tier: Tier
    summary: Text
    reasons: tuple[BuyerReason, ...]


@dataclass(frozen=True, kw_only=True)
class MerchantExplanation:
    """What the shop is told: the order's own facts, and that the rest was the platform's rule."""

    message: Text
    because: tuple[Text, ...]


@dataclass(frozen=True, kw_only=True)
class FeatureEffect:
    """One feature: its value (None where undefined) and its part of the raw score."""

    name: str
    title: Text
    value: float | None
    contribution: float


@dataclass(frozen=True, kw_only=True)
class OperatorReason:
    """A reason with the features behind it, the strongest first."""

    code: str
    text: Text
    contribution: float
    features: tuple[FeatureEffect, ...]


@dataclass(frozen=True, kw_only=True)
class OperatorExplanation:
    """Everything. `base` and all contributions add up to `margin`; slope and intercept make the log-odds.

    Attributes
    ----------
    reasons : tuple of OperatorReason
        All reasons, the strongest first, with every feature that moves the score.
    would_be_quality : tuple of Counterfactual
        The least change of each kind; empty for a quality user, or when no single change suffices.
    """

    tier: Tier
    points: float
    p_abuse: float
    margin: float
    base: float
    slope: float
    intercept: float
    reasons: tuple[OperatorReason, ...]
    would_be_quality: tuple[Counterfactual, ...]


def for_buyer(
    vector: NDArray[np.float64],
    *,
    score: BuyerScore,
    policy: Policy,
    evidence: BuyerEvidence | None = None,
    tier: Tier | None = None,
) -> BuyerExplanation:
    """Tell a buyer what counted, strongest first, and what would change it.

    Parameters
    ----------
    evidence, tier : optional
        As they were decided upon; read off the vector if left out.
    """
    evidence = evidence or buyer_evidence(vector, score=score)
    tier = tier or tier_of(evidence, policy)
    told = [
        _told(r) for r in score.explain(vector, limit=BUYER_REASONS) if abs(r.contribution) >= LEAST_EFFECT
    ]
    return BuyerExplanation(tier=tier, summary=_summary(tier, evidence, policy), reasons=tuple(told))


def for_merchant(outcome: Outcome, rules: Sequence[Verdict]) -> MerchantExplanation:
    """Tell a shop why a refund was automatic, or that it is theirs to review; never anything of the buyer."""
    said_of = message_of(rules)
    message = {"zh": said_of.zh, "en": said_of.en}
    said = ORDER_FACTS if outcome == "auto_refund" else ORDER_FAULTS
    held = outcome == "auto_refund"
    codes = [verdict.code for verdict in rules if verdict.passed is held]
    return MerchantExplanation(message=message, because=tuple(said[code] for code in codes if code in said))


def for_operator(
    rows: Sequence[Row],
    *,
    buyer_id: str,
    as_of: datetime,
    score: BuyerScore,
    policy: Policy,
    vector: NDArray[np.float64] | None = None,
    tier: Tier | None = None,
) -> OperatorExplanation:
    """Lay everything open to whoever has to judge the case.

    Parameters
    ----------
    vector, tier : optional
        As they were decided upon; computed from the history if left out. A vector of another catalog is
        explained, but gets no counterfactuals: this code cannot compute its features.
    """
    if vector is None:
        vector = rows_vector(rows, buyer_id=buyer_id, as_of=as_of)
    tier = tier or tier_of(buyer_evidence(vector, score=score), policy)
    assessed, contributions = score.assess(vector), score.single_row().contributions(vector)
    changes: tuple[Counterfactual, ...] = ()
    if tier != "quality" and len(vector) == CATALOG.n_features:
        changes = counterfactuals(rows, buyer_id=buyer_id, as_of=as_of, score=score, policy=policy)
    return OperatorExplanation(
        tier=tier,
        points=assessed.points,
        p_abuse=assessed.p_abuse,
        margin=assessed.margin,
        base=float(contributions[-1]),
        slope=score.calibrator_.slope,
        intercept=score.calibrator_.intercept,
        reasons=_operator_reasons(score, vector, contributions),
        would_be_quality=changes,
    )


def _told(reason: Reason) -> BuyerReason:
    words, helps = words_of(reason.code), reason.contribution < 0
    return BuyerReason(
        code=reason.code,
        helps=helps,
        what=words.helps if helps else words.hurts,
        change=None if helps else words.change,
    )


def _summary(tier: Tier, buyer: BuyerEvidence, policy: Policy) -> Text:
    if buyer.abuse_confirmed:
        return {
            "zh": "因平台确认的违规记录,您目前不能享受极速退款,退款申请由商家审核;如有异议可申请人工复核。",
            "en": "Because of a confirmed violation you cannot have instant refunds at present: the shop "
            "reviews your refund requests. You may ask for a person to review this.",
        }
    if tier == "new" and lacks_only_a_payment(buyer, policy):
        return {
            "zh": "您的交易历史还不够:我们还没有您的付款记录。",
            "en": "There is not enough history yet: nothing that you paid is known to us.",
        }
    if tier == "new":
        n, days, tenure = policy.min_completed_orders, policy.min_tenure_days, buyer.tenure_days or 0.0
        return {
            "zh": f"您的交易历史还不够:已完成 {buyer.completed_orders} 笔订单,共 {tenure:.0f} 天;"
            f"需要至少 {n} 笔、{days:.0f} 天。",
            "en": "There is not enough history yet: "
            f"{counted(buyer.completed_orders, 'completed order')} over {counted(round(tenure), 'day')}; "
            f"at least {n} over {counted(round(days), 'day')} are needed.",
        }
    if tier == "quality":
        return {"zh": "您是平台优质用户。", "en": "You are a platform quality user."}
    return {
        "zh": "您目前不是平台优质用户,退款申请由商家审核;如有异议可申请人工复核。",
        "en": "You are not a platform quality user at present: the shop reviews your refund requests. "
        "You may ask for a person to review this.",
    }


def _operator_reasons(
    score: BuyerScore, vector: NDArray[np.float64], contributions: NDArray[np.float64]
) -> tuple[OperatorReason, ...]:
    groups, names = score.reason_groups, [str(name) for name in score.get_feature_names_out()]
    reasons = groups.top(contributions.reshape(1, -1), limit=None)[0]
    effects: dict[str, list[FeatureEffect]] = {}
    for i in np.argsort(-np.abs(contributions[:-1]), kind="stable"):
        if contributions[i] != 0.0:
            value = float(vector[i])
            effect = FeatureEffect(
                name=names[i],
                title=title_of(names[i]),
                value=None if np.isnan(value) else value,
                contribution=float(contributions[i]),
            )
            effects.setdefault(groups.codes[i], []).append(effect)
    return tuple(
        OperatorReason(code=r.code, text=r.text, contribution=r.contribution, features=tuple(effects[r.code]))
        for r in reasons
    )


def title_of(name: str) -> Text:
    """Give a feature's title, ``zh`` and ``en``; one of an older catalog is told by its name."""
    place = CATALOG.index.get(name)
    title = None if place is None else CATALOG.features[place].title
    return {"zh": name, "en": name} if title is None else {"zh": title.zh, "en": title.en}


ORDER_FACTS: Final[dict[str, Text]] = {
    "refund_only": {"zh": "申请为仅退款。", "en": "The request is for a refund without a return."},
    "goods_type": {"zh": "商品不是定制或虚拟商品。", "en": "The goods are neither customized nor virtual."},
    "amount_below_cap": {"zh": "订单实付金额低于上限。", "en": "The paid amount is below the limit."},
    "unshipped": {"zh": "商家后台显示订单未发货。", "en": "Your back end showed the order as unshipped."},
    "quality_user": {"zh": "该用户为平台优质用户。", "en": "The buyer is a platform quality user."},
}
"""What a shop may hear when a rule held: its own order, and the one word of the notice on the buyer."""
ORDER_FAULTS: Final[dict[str, Text]] = {
    "refund_only": {"zh": "申请不是仅退款。", "en": "The request is not a refund without a return."},
    "goods_type": {"zh": "商品为定制或虚拟商品。", "en": "The goods are customized or virtual."},
    "amount_below_cap": {"zh": "订单实付金额达到上限。", "en": "The paid amount reaches the limit."},
    "unshipped": {"zh": "订单已发货或部分发货。", "en": "The order is shipped, at least in part."},
    "scope": {"zh": "店铺或类目不在适用范围内。", "en": "The shop or the category is out of scope."},
}
"""What a shop may hear when a rule failed. Rules on the buyer are not named."""
