"""The figures that a report shows, in words and units."""

from __future__ import annotations

from typing import Any, Final

FIGURES: Final = (
    ("requests", "requests", "count"),
    ("before", "… before shipment, which policies are about", "count"),
    ("auto", "refunded automatically", "count"),
    ("auto_share", "… share of all requests", "share"),
    ("auto_share_in_scope", "… share of those before shipment", "share"),
    ("good_served", "… share of honest buyers' requests before shipment", "share"),
    ("abuser_served", "… share of active abusers' requests before shipment", "share"),
    ("auto_fen", "refunded automatically, yuan", "yuan"),
    ("hours_saved", "hours of waiting saved", "count"),
    ("reviews_saved", "merchant reviews saved", "count"),
    ("reviews_added", "reviews added: history refunded these unseen", "count"),
    ("disputes_avoided", "disputes before shipment avoided", "count"),
    ("loss_fen", "known loss before shipment, whoever refunded, yuan", "yuan"),
    ("loss_race_fen", "… merchant, by the shipping race", "yuan"),
    ("loss_merchant_fen", "… merchant, other", "yuan"),
    ("loss_platform_fen", "… platform", "yuan"),
    ("loss_buyer_fen", "… buyer", "yuan"),
    ("worst_fen", "the same in the worst case, yuan", "yuan"),
    ("loss_auto_fen", "known loss of what is refunded automatically, yuan", "yuan"),
    ("loss_rate", "… per automatically refunded yuan", "share"),
    ("worst_loss_rate", "… in the worst case", "share"),
    ("differs", "requests decided otherwise than in history", "count"),
    ("contradicted", "… refunded at once where history refused, or the buyer withdrew", "count"),
    ("not_asked", "… about an order after such a refund: perhaps never asked", "count"),
    ("unknown", "requests whose loss is not known", "count"),
    ("revoked", "buyers revoked", "count"),
    ("revoked_by_rules", "… by the policy's own rules", "count"),
)
OF_TRUTH: Final = (
    ("revocation_precision", "… share of all revoked who abuse", "share"),
    ("revocation_precision_by_rules", "… share of those revoked by its own rules", "share"),
    ("abusers", "abusers active meanwhile", "count"),
    ("caught", "… restricted or revoked", "count"),
    ("caught_by_rules", "… by the policy's own rules", "count"),
    ("caught_by_log", "… by the log's confirmations, as under any policy", "count"),
    ("caught_share", "… share restricted or revoked", "share"),
    ("unseen_abusers", "… never, and refunded automatically", "count"),
    ("days_until_revoked", "days from first abuse to revocation, median", "days"),
    ("days_until_revoked_by_rules", "… by the policy's own rules", "days"),
    ("fen_until_revoked", "yuan refunded at once from first abuse to revocation, median", "yuan"),
    ("abuser_auto_fen", "refunded automatically to abusers, yuan", "yuan"),
    ("good_restricted", "honest buyers restricted or revoked", "count"),
    ("good_restricted_by_rules", "… by the policy's own rules", "count"),
    ("good_days_each", "… for how many days, median", "days"),
)
OF_CANCELLATION: Final = (
    ("told", "requests before shipment of which it is known whether the buyer cancels again", "count"),
    ("told_auto", "… refunded at once", "count"),
    ("again_share", "share of them whose buyer cancels again", "share"),
    ("again_of_auto", "… of those refunded at once", "share"),
    ("again_of_review", "… of those left to a person", "share"),
    ("again_of_small", "… of as many, chosen by the fewest items of the order alone", "share"),
    ("not_again_served", "refunded at once of those whose buyer does not cancel again", "share"),
    ("again_served", "refunded at once of those whose buyer does", "share"),
    ("asked_too_late", "not known: the log ends too soon after the request", "count"),
    ("not_ordered", "not known: the buyer did not order again in time", "count"),
)
ALONE: Final = {
    "auto_share": "refunded automatically, share of all requests",
    "auto_share_in_scope": "refunded automatically, share of those before shipment",
    "good_served": "… of honest buyers' requests before shipment",
    "abuser_served": "… of active abusers' requests before shipment",
    "loss_race_fen": "known loss by the shipping race, yuan",
    "loss_platform_fen": "known loss of the platform, yuan",
    "loss_rate": "known loss per automatically refunded yuan",
    "worst_loss_rate": "lost per automatically refunded yuan, worst case",
    "worst_fen": "loss before shipment in the worst case, yuan",
    "unknown": "requests whose loss is not known",
    "caught": "abusers restricted or revoked",
    "again_of_auto": "share of the refunds at once whose buyer cancels again",
    "again_of_review": "… of what is left to a person",
    "not_again_served": "refunded at once of those whose buyer does not cancel again",
    "caught_by_rules": "… by the policy's own rules, not by the log's confirmations",
    "caught_by_rules_share": "share of abusers restricted or revoked by the policy's own rules",
    "revocation_precision": "share of the revoked who abuse",
}
"""Words of figures that are shown without the row above them."""


def rows_of(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """List the figures that a report has: name, words, unit."""
    told = report["policies"][0]["figures"]
    return [row for row in (*FIGURES, *OF_TRUTH, *OF_CANCELLATION) if row[0] in told]
