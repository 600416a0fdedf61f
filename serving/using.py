"""What a group of decisions may still grant: read once, and carried from one decision to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from decisions.caps import DayLosses, Fact, Ledger, Usage
from decisions.engine import Decision
from decisions.policy import Policy
from decisions.request import RefundRequest

from .store import usage

if TYPE_CHECKING:
    from .store.database import Connection


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


async def used(
    connection: Connection, requests: Sequence[RefundRequest], *, policy: Policy, at: datetime
) -> Used | None:
    """Read what requests of one group need; None if the policy limits nothing.

    Parameters
    ----------
    at : datetime
        The earliest instant of their decisions.
    """
    if not policy.needs_usage or not requests:
        return None
    found = Used()
    if policy.asks & {"caps", "open_case", "credit_line"}:
        found.ledgers = await usage.ledgers(connection, {r.buyer_id for r in requests}, at)
    if "budget" in policy.asks:
        shops = {r.order.shop_id for r in requests}
        found.shops, found.platform = await usage.losses(connection, shops, at)
    return found
