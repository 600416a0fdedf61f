"""What `features.links` derives, on Spark: the same peer events when no machine holds all links.

A link's first 64 accounts are found by a ranked window, which Spark cuts to 64 rows per link before its
shuffle, so a dormitory's address with a million accounts is neither moved nor sorted. Pairs are then at
most 64 x 63 per link, whatever its size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .links import MAX_ACCOUNTS_PER_LINK

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

_LINK: Final = ("link_type", "link_value")
_VERDICTS: Final = ("abuse_confirmed", "abuse_cleared")


def peer_frame(events: DataFrame) -> DataFrame:
    """Derive the peer events of all accounts, as `features.links.peer_events` does.

    Parameters
    ----------
    events : DataFrame
        The log in the contract's columns.

    Returns
    -------
    DataFrame
        The log's columns that a peer event fills; the peer stands where a shop would.
    """
    from pyspark.sql import functions as F  # noqa: N812

    pairs = _pairs(_first_accounts(events))
    linked = pairs.select("buyer_id", "peer", "known_at", F.lit("peer_linked").alias("kind"), "link_type")
    told = _standing(pairs, events).withColumn("link_type", F.lit(None).cast("string"))
    return linked.unionByName(told).select(
        "buyer_id",
        "kind",
        F.col("known_at").alias("occurred_at"),
        F.col("known_at").alias("recorded_at"),
        F.col("peer").alias("shop_id"),
        "link_type",
        _event_id().alias("event_id"),
    )


def _first_accounts(events: DataFrame) -> DataFrame:
    """Keep each link's first accounts, with the time at which each was first seen on it."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    linked = events.where((F.col("kind") == "identity_linked") & F.col("link_value").isNotNull())
    first = linked.groupBy(*_LINK, "buyer_id").agg(F.min("recorded_at").alias("seen_at"))
    in_turn = Window.partitionBy(*_LINK).orderBy("seen_at", "buyer_id")
    ranked = first.withColumn("rank", F.row_number().over(in_turn))
    return ranked.where(F.col("rank") <= MAX_ACCOUNTS_PER_LINK).drop("rank")


def _pairs(accounts: DataFrame) -> DataFrame:
    """Say since when each ordered pair of accounts is known to share a link of each type."""
    from pyspark.sql import functions as F  # noqa: N812

    other = accounts.withColumnsRenamed({"buyer_id": "peer", "seen_at": "peer_seen_at"})
    both = accounts.join(other, list(_LINK)).where(F.col("buyer_id") != F.col("peer"))
    since = F.min(F.greatest("seen_at", "peer_seen_at"))
    return both.groupBy("buyer_id", "peer", "link_type").agg(since.alias("known_at"))


def _standing(pairs: DataFrame, events: DataFrame) -> DataFrame:
    """Carry a peer's standing over: its last verdict at each instant, those before the link at the link's."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    since = pairs.groupBy("buyer_id", "peer").agg(F.min("known_at").alias("linked_at"))
    verdicts = events.where(F.col("kind").isin(*_VERDICTS)).select(
        F.col("buyer_id").alias("peer"), "kind", "recorded_at", "occurred_at", "event_id"
    )
    met = since.join(verdicts, "peer").withColumn("known_at", F.greatest("linked_at", "recorded_at"))
    latest = Window.partitionBy("buyer_id", "peer", "known_at").orderBy(
        F.desc("recorded_at"), F.desc("occurred_at"), F.desc("event_id")
    )
    told = met.withColumn("rank", F.row_number().over(latest)).where(F.col("rank") == 1)
    return told.select("buyer_id", "peer", "known_at", F.concat(F.lit("peer_"), "kind").alias("kind"))


def _event_id() -> Column:
    """Order ties as `features.history` does: by kind, link type and peer."""
    from pyspark.sql import functions as F  # noqa: N812

    return F.concat_ws(" ", "kind", F.coalesce("link_type", F.lit("None")), "peer")
