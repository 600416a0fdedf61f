"""The one path from a request and its evidence to a decision."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from .caps import NOTHING_USED, Usage
from .case import Case, Verdict
from .exploration import CODE as EXPLORED
from .exploration import propensity
from .message import Message
from .policy import Policy
from .request import UNKNOWN_SHOP, BuyerEvidence, OrderEvidence, RefundRequest, ShopEvidence
from .rules import judge
from .standing import Standing, State, state_of
from .tiers import Tier, tier_of
from .value import value

Outcome = Literal["auto_refund", "manual_review"]


MESSAGES: Final[dict[Outcome, Message]] = {
    "auto_refund": Message(
        zh="该用户为平台优质用户且订单满足极速退款条件,平台已自动审核通过卖家发货前仅退款申请",
        en="The buyer is a platform quality user and the order meets the instant refund conditions; the "
        "platform has automatically approved the refund-only request made before shipment.",
    ),
    "manual_review": Message(
        zh="该申请不满足极速退款条件,已转入商家常规审核",
        en="The request does not meet the instant refund conditions; it goes to the merchant's "
        "ordinary review.",
    ),
}
"""The first Chinese text is the notice's own (Q5) and must not be changed."""
BY_LOT: Final = Message(
    zh="该申请已转入商家常规审核",
    en="The request goes to the merchant's ordinary review.",
)
"""Of a request that meets the conditions and that a policy's lot leaves to a person."""


@value()
class Decision:
    """The outcome with everything that it followed from.

    ``propensity`` is the probability with which this policy takes this outcome here: 1 without a lot.
    """

    outcome: Outcome
    message: Message
    rules: tuple[Verdict, ...]
    tier: Tier
    standing: State
    propensity: float = 1.0


def decide(
    request: RefundRequest,
    *,
    buyer: BuyerEvidence,
    order: OrderEvidence,
    policy: Policy,
    decided_at: datetime,
    previous_tier: Tier | None = None,
    usage: Usage = NOTHING_USED,
    standing: Standing | None = None,
    shop: ShopEvidence = UNKNOWN_SHOP,
) -> Decision:
    """Refund automatically when every rule passes; otherwise hand the request to a person.

    Parameters
    ----------
    request : RefundRequest
        What the after-sale system asks.
    buyer, order : BuyerEvidence, OrderEvidence
        What was known before ``request.requested_at``.
    policy : Policy
    decided_at : datetime
        The service's clock, timezone-aware.
    previous_tier : Tier, optional
        The buyer's tier before, which a policy with hysteresis lets go of later.
    usage : Usage
        What was used of caps and budgets before this request; looked at only if `policy.needs_usage`.
    standing : Standing, optional
        The buyer's record, moved on to `decided_at` (`standing_machine.advance`). Without one the state
        follows from the evidence alone.
    shop : ShopEvidence
        What was measured of the shop; looked at only if `policy.needs_shop`.
    """
    tier = tier_of(buyer, policy, previous=previous_tier)
    state = state_of(buyer, policy, standing)
    verdicts = judge(Case(request, buyer, order, tier, state, policy, decided_at, previous_tier, usage, shop))
    failed = [v for v in verdicts if not v.passed]
    outcome: Outcome = "manual_review" if failed else "auto_refund"
    if (share := policy.exploration.review_share) is None:
        return Decision(outcome, MESSAGES[outcome], verdicts, tier, state)
    return Decision(outcome, message_of(verdicts), verdicts, tier, state, propensity(failed, share))


def message_of(rules: Sequence[Verdict]) -> Message:
    """Give what is said of a decision with these verdicts; of whom only the lot holds nothing untrue."""
    failed = [verdict.code for verdict in rules if not verdict.passed]
    if failed == [EXPLORED]:
        return BY_LOT
    return MESSAGES["manual_review" if failed else "auto_refund"]
