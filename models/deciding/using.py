"""What decisions may still grant, carried from one to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from decisions.caps import DayLosses, Fact, Ledger, Usage
from decisions.engine import Decision
from decisions.policy import Policy
from decisions.request import RefundRequest


@dataclass(slots=True)
class Used:
    """The ledgers of a group's buyers and the losses of its shops and of the platform."""

    ledgers: dict[str, Ledger] = field(default_factory=dict)
    shops: dict[str, DayLosses] = field(default_factory=dict)
    platform: DayLosses = field(default_factory=DayLosses)

    def before(self, request: RefundRequest, *, policy: Policy, decided_at: datetime) -> Usage:
        """Tell what is used before a decision."""
        shop = self.shops.get(request.order.shop_id, DayLosses())
        return self.ledgers.get(request.buyer_id, Ledger()).usage(
            decided_at,
            own=request.after_sale_id,
            forgotten_after_days=policy.open_cases.forgotten_after_days,
            shop=shop.losses(decided_at),
            platform=self.platform.losses(decided_at),
        )

    def after(self, request: RefundRequest, made: Decision, *, decided_at: datetime) -> None:
        """Let the next decision of the buyer see this one, as it will be read once it is stored."""
        case = request.after_sale_id
        ledger = self.ledgers.get(request.buyer_id, Ledger())
        ledger = ledger.told(Fact(kind="opened", after_sale_id=case, at=decided_at))
        if made.outcome == "auto_refund":
            granted = Fact(kind="granted", after_sale_id=case, at=decided_at, fen=request.refund_amount_fen)
            ledger = ledger.told(granted)
        self.ledgers[request.buyer_id] = ledger
