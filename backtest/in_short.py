"""What a director reads first: whether another policy is better than the first, and how sure that is."""

from __future__ import annotations

from typing import Any, Final

from .wording import sure

SERVES: Final = {
    "good_served": "of the requests of honest buyers",
    "auto_share_in_scope": "of the requests before shipment",
    "not_again_served": "of the requests whose buyers do not cancel again",
}
COSTS: Final = {
    "worst_loss_rate": "loses {} of each yuan so refunded, at worst",
    "again_of_auto": "gives {} of its refunds to buyers who cancel again",
}
MANY: Final = {1: "more", -1: "fewer", 0: "perhaps as many"}
MUCH: Final = {1: "more", -1: "less", 0: "perhaps as much"}
VERDICTS: Final = {
    (1, -1): "better for buyers, and cheaper",
    (-1, 1): "worse for buyers, and dearer",
    (1, 1): "a trade: better for buyers, and dearer",
    (-1, -1): "a trade: worse for buyers, and cheaper",
    (1, 0): "better for buyers, at a price that is not surely higher",
    (-1, 0): "worse for buyers, at a price that is not surely lower",
    (0, -1): "cheaper, and not surely worse for buyers",
    (0, 1): "dearer, and not surely better for buyers",
    (0, 0): "no sure difference",
}
"""By the sure signs of what is served and what it costs."""


def in_short(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare every other policy with the first, by whom it serves and what that costs, on the same people.

    Returns
    -------
    list of dict
        ``version`` and ``before``, what is compared; ``refunds``, somebody at once; ``served`` and
        ``cost``, the differences; ``serves``, ``costs`` and ``verdict``, in words. None for the last two
        where no cost can be told, as of a policy that refunds nobody.
    """
    served, cost, first = report["served_is"], report["cost_is"], report["policies"][0]
    tells = cost != "worst_loss_rate" or report["history"].get("knows_shipping", True)
    found = []
    for policy in report["policies"][1:]:
        gaps = policy["gaps"]
        signs = sure(gaps[served]), sure(gaps[cost])
        told = tells and gaps[cost]["value"] is not None
        found.append(
            {
                "version": policy["version"],
                "before": first["version"],
                "refunds": policy["figures"]["auto"]["value"] > 0,
                "served": gaps[served],
                "cost": gaps[cost],
                "serves": f"refunds {MANY[signs[0]]} {SERVES[served]} at once",
                "costs": COSTS[cost].format(MUCH[signs[1]]) if told else None,
                "verdict": VERDICTS[signs] if told else None,
            }
        )
    return found
