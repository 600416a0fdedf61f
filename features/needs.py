"""Which columns of the log a plan looks at: what no feature reads is neither loaded nor sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from .plan import CODED, ENTITY_CODE, KIND_CODE, NULL, PEER_KINDS, VALUE_CODE, Plan

_ANY: Final = -1
_MOST: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a plan asks of the log besides buyer, kind and ``recorded_at``.

    Attributes
    ----------
    columns : frozenset of str
    ties : bool
        Whether the order of events known at the same instant can show in a feature; only then
        ``occurred_at`` and ``event_id`` are needed to order them.
    peers : bool
        Whether events of linked accounts are needed.
    """

    columns: frozenset[str]
    ties: bool
    peers: bool


EVERYTHING: Final = Needs(
    columns=frozenset(
        ("order_id", "shop_id", "category_id", "amount_fen", "line_count", *(name for name, _ in CODED))
    ),
    ties=True,
    peers=True,
)
"""What a history holds that any plan may read."""


def needs_of(plan: Plan) -> Needs:
    """Read off a plan's selectors, sums and medians what they look at."""
    s = plan.selectors
    values = {*plan.sum_value.tolist(), *plan.medians["value"].tolist()}
    timed = bool(((s["lag_low"] != NULL) | (s["lag_high"] != _MOST) | (s["basket"] >= 0)).any())
    partial = bool((s["partial"] >= 0).any())
    paid = timed or partial or VALUE_CODE["pay_lag"] in values
    entities = set(s["entity"].tolist())
    priced = bool(((s["amount_low"] != NULL) | (s["amount_high"] != _MOST)).any())
    wanted = {
        "order_id": paid or ENTITY_CODE["order"] in entities,
        "shop_id": ENTITY_CODE["party"] in entities,
        "category_id": ENTITY_CODE["category"] in entities,
        "amount_fen": priced or partial or VALUE_CODE["amount_fen"] in values,
        "line_count": VALUE_CODE["line_count"] in values,
        **{name: bool((s["code_masks"][:, c] != _ANY).any()) for c, (name, _) in enumerate(CODED)},
    }
    looked_at = int(np.bitwise_or.reduce(s["kind_mask"] | s["until_mask"], initial=0))
    return Needs(
        columns=frozenset(name for name, is_wanted in wanted.items() if is_wanted),
        ties=paid or bool(s["until_mask"].any()),
        peers=any(looked_at >> KIND_CODE[kind] & 1 for kind in PEER_KINDS),
    )
