"""Read what a group of decisions may still grant, once for all of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from decisions.policy import Policy
from decisions.request import RefundRequest
from models.deciding.using import Used

from .store import usage

if TYPE_CHECKING:
    from .store.database import Connection


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
    if policy.needs_ledger:
        found.ledgers = await usage.ledgers(connection, {r.buyer_id for r in requests}, at)
    if "budget" in policy.asks:
        shops = {r.order.shop_id for r in requests}
        found.shops, found.platform = await usage.losses(connection, shops, at)
    return found
