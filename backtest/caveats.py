"""What a history does not hold and so cannot tell, said in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from decisions.policy import Policy

from .history import History
from .outcomes import Outcomes


def caveats_of(
    history: History, outcomes: Outcomes, policies: Sequence[Policy], *, assumed_goods: str | None
) -> list[str]:
    """Say what this log does not tell, and what was assumed in its place."""
    kinds, found = history.kinds, []
    if not outcomes.knows_shipping:
        found.append(
            "The log has no shipments: every request before shipment counts as unshipped, whether a parcel "
            "had left is not known, and so neither is the loss of any refund made at once."
        )
    if "refund_found_shipped" not in kinds:
        found.append("The log knows of no refund that was found shipped: the shipping race cannot be seen.")
    if not kinds & {"dispute_opened", "dispute_closed"}:
        found.append("The log has no disputes: none can be avoided or lost.")
    if "abuse_confirmed" not in kinds:
        found.append("The log confirms no abuse: nobody is revoked for it, and who abuses is not known.")
    if not history.says_who_answered:
        found.append(
            "The log does not say who answered a request nor how long that took: waiting and reviews saved "
            "are those of requests that somebody must have answered, at the time that the log gives."
        )
    if assumed_goods is not None:
        found.append(f"The log does not say what kind of goods an order holds; all count as {assumed_goods}.")
    found += [
        f"{policy.version} leaves {policy.exploration.review_share:.0%} of what it would refund at once to a "
        "person, by lot; those decisions carry their probability."
        for policy in policies
        if policy.exploration.review_share is not None
    ]
    return found
