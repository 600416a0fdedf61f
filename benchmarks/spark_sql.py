"""The 69 plain columns in Spark SQL, three ways: prefix sums at the windows' edges, range windows, a join."""

from __future__ import annotations

from typing import Any, Final

from benchmarks.features_columns import COUNTED, DAY_US, MEASURES, RECENT, WINDOWS, name

_NOW: Final = 0
"""Number of the edge at ``as_of`` itself; edge ``i`` lies the i-th window's length before it."""
_FINITE: Final = tuple(w for w in WINDOWS if w is not None)


def prefix_sums(events: Any, spine: Any) -> Any:
    """Explode each ask into its windows' edges, run totals up to each edge, and take differences.

    One shuffle by buyer, one sort, and totals that only ever add: linear in events and edges.
    """
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    edges = F.array(
        *[
            F.struct(F.lit(i).alias("edge"), (F.col("us") - w * DAY_US).alias("us"))
            for i, w in enumerate((0, *_FINITE))
        ]
    )
    asks = _numbered(spine).select(
        "buyer_id", "ask", F.col("us").alias("as_of_us"), F.explode(edges).alias("at")
    )
    marks = asks.select("buyer_id", "at.us", "ask", "as_of_us", "at.edge")
    rows = _logged(events).unionByName(marks, allowMissingColumns=True)
    before = (
        Window.partitionBy("buyer_id")
        .orderBy("us", F.col("ask").isNull())
        .rowsBetween(Window.unboundedPreceding, 0)
    )
    totals = [F.sum(_value(k, what)).over(before).alias(f"{k}_{what}") for k, what in MEASURES]
    latest = [F.max(F.when(F.col("kind") == k, F.col("us"))).over(before).alias(f"last_{k}") for k in RECENT]
    at_edges = rows.select("buyer_id", "ask", "as_of_us", "edge", *totals, *latest).where("ask IS NOT NULL")
    by_ask = at_edges.groupBy("buyer_id", "ask", "as_of_us")
    return by_ask.agg(*_differences(), *_since()).select(*_columns())


def range_windows(events: Any, spine: Any) -> Any:
    """Put the asks among the events and aggregate each window's range before every row."""
    from pyspark.sql import Window
    from pyspark.sql import functions as F  # noqa: N812

    asks = _numbered(spine).select("buyer_id", "us", "ask", F.col("us").alias("as_of_us"))
    rows = _logged(events).unionByName(asks, allowMissingColumns=True)
    ordered = Window.partitionBy("buyer_id").orderBy("us")
    ever = ordered.rangeBetween(Window.unboundedPreceding, -1)
    frames = {w: ever if w is None else ordered.rangeBetween(-w * DAY_US, -1) for w in WINDOWS}
    totals = [
        F.coalesce(F.sum(_value(k, what)).over(frames[w]), F.lit(0)).cast("double").alias(name(k, what, w))
        for k, what in MEASURES
        for w in WINDOWS
    ]
    since = [
        ((F.col("us") - F.max(F.when(F.col("kind") == k, F.col("us"))).over(ever)) / DAY_US).alias(
            f"days_since_last_{k}"
        )
        for k in RECENT
    ]
    return (
        rows.select("buyer_id", "ask", "as_of_us", *totals, *since)
        .where("ask IS NOT NULL")
        .select(*_columns())
    )


def joined(events: Any, spine: Any) -> Any:
    """Join each ask with all of its buyer's events and aggregate conditionally."""
    from pyspark.sql import functions as F  # noqa: N812

    asks = _numbered(spine).withColumnRenamed("us", "as_of_us")
    logged = _logged(events).withColumnRenamed("buyer_id", "who")
    met = asks.join(logged, (F.col("buyer_id") == F.col("who")) & (F.col("us") < F.col("as_of_us")), "left")
    totals = [
        F.coalesce(F.sum(F.when(_inside(w), _value(k, what))), F.lit(0))
        .cast("double")
        .alias(name(k, what, w))
        for k, what in MEASURES
        for w in WINDOWS
    ]
    since = [
        ((F.col("as_of_us") - F.max(F.when(F.col("kind") == k, F.col("us")))) / DAY_US).alias(
            f"days_since_last_{k}"
        )
        for k in RECENT
    ]
    return met.groupBy("buyer_id", "ask", "as_of_us").agg(*totals, *since).select(*_columns())


def _inside(window: int | None) -> Any:
    from pyspark.sql import functions as F  # noqa: N812

    return F.lit(True) if window is None else F.col("us") >= F.col("as_of_us") - window * DAY_US


def _numbered(spine: Any) -> Any:
    from pyspark.sql import functions as F  # noqa: N812

    return spine.select(
        "buyer_id", F.unix_micros("as_of").alias("us"), F.monotonically_increasing_id().alias("ask")
    )


def _logged(events: Any) -> Any:
    from pyspark.sql import functions as F  # noqa: N812

    counted = events.where(F.col("kind").isin(*COUNTED))
    return counted.select("buyer_id", F.unix_micros("recorded_at").alias("us"), "kind", "amount_fen")


def _value(kind: str, what: str) -> Any:
    from pyspark.sql import functions as F  # noqa: N812

    return F.when(F.col("kind") == kind, F.lit(1) if what == "count" else F.col("amount_fen"))


def _at(edge: int, column: str) -> Any:
    from pyspark.sql import functions as F  # noqa: N812

    return F.coalesce(F.max(F.when(F.col("edge") == edge, F.col(column))), F.lit(0))


def _differences() -> list[Any]:
    found = []
    for kind, what in MEASURES:
        total = _at(_NOW, f"{kind}_{what}")
        for i, window in enumerate(WINDOWS, start=1):
            inside = total if window is None else total - _at(i, f"{kind}_{what}")
            found.append(inside.cast("double").alias(name(kind, what, window)))
    return found


def _since() -> list[Any]:
    from pyspark.sql import functions as F  # noqa: N812

    latest = {k: F.max(F.when(F.col("edge") == _NOW, F.col(f"last_{k}"))) for k in RECENT}
    return [((F.col("as_of_us") - latest[k]) / DAY_US).alias(f"days_since_last_{k}") for k in RECENT]


def _columns() -> list[Any]:
    from pyspark.sql import functions as F  # noqa: N812

    from benchmarks.features_columns import PLAIN

    return [
        "buyer_id",
        F.timestamp_micros("as_of_us").alias("as_of"),
        *(F.coalesce(F.col(n), F.lit(float("nan"))).alias(n) for n in PLAIN.names),
    ]
