"""The log in the making: columns of codes, one part per kind of event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .aftermath import Sequels
from .draws import HOUR, Bools, Floats, Ints, Rng, lognormal
from .fulfilment import Parcels
from .investigation import Findings
from .links import Links
from .orders import Columns, Orders, stacked
from .requests import Requests
from .review import Answers
from .vocabulary import ACTOR, FAULT, KIND, OUTCOME, Intent
from .world import World

UNPAID_CLOSES_S: Final = 0.5 * HOUR
NIL: Final = -1
"""The code of a value that an event does not have."""


@dataclass(frozen=True)
class Rows(Columns):
    """Events as codes; times are seconds from the start of the log, ``NIL`` stands for null."""

    kind: NDArray[np.int8]
    buyer: Ints
    occurred: Floats
    recorded: Floats
    order: Ints
    case: Ints
    shop: NDArray[np.int32]
    category: NDArray[np.int16]
    goods: NDArray[np.int8]
    fen: Ints
    stage: NDArray[np.int8]
    fault: NDArray[np.int8]
    outcome: NDArray[np.int8]
    actor: NDArray[np.int8]
    reason: NDArray[np.int8]
    link_type: NDArray[np.int8]
    link: Ints
    lines: NDArray[np.int32]


TYPES: Final[dict[str, Any]] = {
    "kind": np.int8, "buyer": np.int64, "occurred": np.float64, "recorded": np.float64, "order": np.int64,
    "case": np.int64, "shop": np.int32, "category": np.int16, "goods": np.int8, "fen": np.int64,
    "stage": np.int8, "fault": np.int8, "outcome": np.int8, "actor": np.int8, "reason": np.int8,
    "link_type": np.int8, "link": np.int64, "lines": np.int32,
}  # fmt: skip


def rows(kind: str, *, buyer: Ints, occurred: Floats, recorded: Floats | None = None, **columns: Any) -> Rows:
    """Write one kind of event; a column may be one value for all, and is null when not given."""
    known = occurred if recorded is None else recorded
    values = {"kind": KIND[kind], "buyer": buyer, "occurred": occurred, "recorded": known, **columns}
    n = len(buyer)
    return Rows(**{name: _column(values.get(name, NIL), n, kind) for name, kind in TYPES.items()})


def _column(value: Any, n: int, kind: Any) -> Any:
    return value.astype(kind, copy=False) if np.ndim(value) else np.full(n, value, kind)


def gathered(parts: list[Rows], end: float) -> Rows:
    """Put the parts in the order in which they became known, without what is known only after the end."""
    together = stacked(parts)
    known = np.flatnonzero(together.recorded < end)
    order = known[np.argsort(together.recorded[known])]
    # Three keys for the few that became known in the same instant are cheaper than for all.
    same = np.diff(together.recorded[order]) == 0.0
    tied = np.append(same, False) | np.append(False, same)
    rows = order[tied]
    keys = (rows, together.kind[rows], together.occurred[rows], together.recorded[rows])
    order[tied] = rows[np.lexsort(keys)]
    return together.pick(order)


def order_rows(world: World, rng: Rng, orders: Orders, parcels: Parcels) -> list[Rows]:
    """Write the life of the orders: placed, paid or closed, shipped, completed."""
    paid = orders.intent != Intent.ABANDON
    shipped = np.isfinite(parcels.left) & paid
    order = np.arange(len(orders))

    def of(kind: str, chosen: Bools, occurred: Floats, recorded: Floats | None = None, **more: Any) -> Rows:
        known = None if recorded is None else recorded[chosen]
        columns = _of_order(world, orders, order[chosen])
        return rows(kind, occurred=occurred[chosen], recorded=known, **{**columns, **more})

    delivered_known = parcels.done + lognormal(rng, HOUR, sigma=0.8, size=len(orders))
    return [
        of("order_placed", np.ones(len(orders), np.bool_), orders.placed, actor=ACTOR["buyer"]),
        of("order_paid", paid, parcels.paid, actor=ACTOR["buyer"]),
        of("order_closed_unpaid", ~paid, orders.placed + UNPAID_CLOSES_S, actor=ACTOR["auto"]),
        of("order_shipped", shipped, parcels.left, parcels.tracked, actor=ACTOR["merchant"]),
        of("order_completed", shipped, parcels.done, np.maximum(delivered_known, parcels.tracked)),
    ]


def case_rows(
    world: World, orders: Orders, requests: Requests, answers: Answers, sequels: Sequels
) -> list[Rows]:
    """Write the after-sale cases: request, answer, race, dispute and its end."""
    case = np.arange(len(requests))
    refused = ~answers.granted & ~answers.withdrawn

    def of(kind: str, chosen: Bools, occurred: Floats, **more: Any) -> Rows:
        columns = _of_order(world, orders, requests.order[chosen])
        about: dict[str, Any] = {
            "fen": requests.fen,
            "lines": requests.lines,
            "stage": requests.stage,
            "reason": requests.reason,
        }
        columns |= {name: column[chosen] for name, column in about.items()}
        columns |= {name: column[chosen] if np.ndim(column) else column for name, column in more.items()}
        return rows(kind, occurred=occurred[chosen], case=case[chosen], **columns)

    found = {"fault": answers.fault, "reason": answers.reason, "actor": answers.actor}
    lost = np.where(sequels.buyer_wins, OUTCOME["buyer"], OUTCOME["merchant"])
    verdict = np.where(sequels.buyer_wins, np.maximum(requests.fault, FAULT["shop"]), FAULT["buyer"])
    disputed = np.isfinite(sequels.opened)
    by_platform = {"fault": verdict, "actor": ACTOR["platform"]}
    race = {"recorded": sequels.found_known, "actor": ACTOR["merchant"]}
    return [
        of("refund_requested", case >= 0, requests.at, fault=requests.fault, actor=ACTOR["buyer"]),
        of("refund_granted", answers.granted, answers.at, **found),
        of("refund_rejected", refused, answers.at, **found),
        of("refund_withdrawn", answers.withdrawn, answers.at, actor=ACTOR["buyer"]),
        of("refund_withdrawn", np.isfinite(sequels.dropped), sequels.dropped, actor=ACTOR["buyer"]),
        of("refund_found_shipped", np.isfinite(sequels.found), sequels.found, **race),
        of("dispute_opened", disputed, sequels.opened, actor=ACTOR["buyer"]),
        of("dispute_closed", disputed, sequels.closed, outcome=lost, **by_platform),
        of("refund_granted", disputed & sequels.buyer_wins, sequels.closed + 60.0, **by_platform),
    ]  # fmt: skip


def finding_rows(findings: Findings) -> list[Rows]:
    """Write what investigators confirmed and what was lifted again."""
    lifted = findings.pick(np.isfinite(findings.cleared))
    platform = ACTOR["platform"]
    confirmed = rows(
        "abuse_confirmed", buyer=findings.buyer, occurred=findings.happened, recorded=findings.confirmed,
        reason=findings.reason, actor=platform,
    )  # fmt: skip
    return [confirmed, rows("abuse_cleared", buyer=lifted.buyer, occurred=lifted.cleared, actor=platform)]


def link_rows(links: Links) -> list[Rows]:
    """Write the identities of the accounts."""
    return [
        rows(
            "identity_linked", buyer=links.buyer, occurred=links.at, recorded=links.known,
            link_type=links.kind, link=links.value,
        )
    ]  # fmt: skip


def _of_order(world: World, orders: Orders, order: Ints) -> dict[str, Any]:
    of = orders.pick(order)
    return {
        "buyer": of.buyer,
        "order": order,
        "shop": of.shop,
        "category": world.shops.category[of.listing],
        "goods": world.shops.goods[of.listing],
        "fen": of.fen,
        "lines": of.lines,
    }
