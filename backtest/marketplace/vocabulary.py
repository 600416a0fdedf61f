"""The words that the marketplace writes into the log, with their codes (positions in these tuples)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from features.events import ACTORS, DISPUTE_OUTCOMES, FAULTS, GOODS_TYPES, KINDS, LINK_TYPES, STAGES

REASONS: Final[tuple[str, ...]] = (
    "changed_mind",
    "change_order",
    "change_address",
    "voucher_forgotten",
    "payment_trouble",
    "seller_unresponsive",
    "found_cheaper",
    "late_shipment",
    "out_of_stock",
    "wrong_size",
    "not_as_described",
    "damaged",
    "not_received",
    "already_shipped",
    "made_to_order",
    "abnormal_refunds",
    "false_claims",
    "mass_unpaid_orders",
    "linked_accounts",
    "fake_trade",
    "account_takeover",
)
"""Reasons of refunds, then of refusals, then of confirmed abuse."""

KIND: Final = {word: code for code, word in enumerate(KINDS)}
GOODS: Final = {word: code for code, word in enumerate(GOODS_TYPES)}
STAGE: Final = {word: code for code, word in enumerate(STAGES)}
FAULT: Final = {word: code for code, word in enumerate(FAULTS)}
OUTCOME: Final = {word: code for code, word in enumerate(DISPUTE_OUTCOMES)}
ACTOR: Final = {word: code for code, word in enumerate(ACTORS)}
REASON: Final = {word: code for code, word in enumerate(REASONS)}
LINK: Final = {word: code for code, word in enumerate(LINK_TYPES)}

FAULT_OF_REASON: Final[dict[str, str]] = {
    "changed_mind": "none",
    "change_order": "none",
    "found_cheaper": "none",
    "wrong_size": "none",
    "change_address": "buyer",
    "voucher_forgotten": "buyer",
    "payment_trouble": "platform",
    "seller_unresponsive": "shop",
    "late_shipment": "shop",
    "out_of_stock": "shop",
    "not_as_described": "shop",
    "damaged": "carrier",
    "not_received": "carrier",
}
"""Whose doing a refund is if its reason is true: ``none`` is a free change of mind, ``buyer`` a slip."""


class Intent(IntEnum):
    """What a buyer means to do with an order, before shops and reviewers have their say."""

    KEEP = 0
    ABANDON = 1
    """Place the order and let it close unpaid."""
    CANCEL = 2
    """Ask for the money back ``wait`` seconds after paying."""
    RACE = 3
    """Ask at ``wait`` (0 to 1) of the way from the parcel's leaving to its tracking number being entered."""
    RETURN = 4
    """Send the goods back ``wait`` seconds after receiving them."""
    CLAIM = 5
    """Ask for money without giving the goods back ``wait`` seconds after receiving them."""
