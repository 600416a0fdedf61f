"""Features of a log of any size: the same kernel on Spark, in Arrow batches after one shuffle by buyer.

What links bring in from other accounts crosses buyers, so it is derived before the shuffle (`spark_links`).
The spine travels with the events, so that one shuffle brings everything about a buyer together; then each
partition goes to the kernel as one table (`spark_partition`). The driver plans and counts; it holds no rows.
"""

from __future__ import annotations

from datetime import datetime
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .catalog import CATALOG
from .compile import Catalog
from .errors import BadInput
from .events import SCHEMA
from .needs import Needs, needs_of
from .spark_input import asked, conform, open_log, open_spine, spark_schema
from .spark_links import peer_frame
from .spark_output import refuse_existing, write_whole
from .spark_partition import ASK, LOGGED, ORIGIN, PEER, OfPartition, Then
from .spark_progress import OnTasks, watched
from .spark_session import quiet_about_pandas, refusals, spark_session, working_settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

EVENTS_PER_TASK: Final = 500_000
"""What one task takes at once: some 150 MB, in Arrow and packed together."""

Place = str | PathLike[str]
"""A path, or a URL of a file system that Spark knows."""


def feature_files_spark(
    events: Place,
    out: Place,
    *,
    as_of: datetime | None = None,
    spine: Place | None = None,
    master: str | None = None,
    catalog: Catalog = CATALOG,
    tasks: int | None = None,
    ids: bool = True,
    then: Then | None = None,
    on_tasks: OnTasks | None = None,
    log: Path | None = None,
) -> int:
    """Compute the features of a Parquet log into a folder of Parquet parts.

    Parameters
    ----------
    events : path or URL
        As `features.spark_input.open_log` takes it.
    out : path or URL
        A folder that is not there yet; it appears when it is whole.
    as_of, catalog, tasks, ids, then
        As in `feature_frame`.
    spine : path or URL, optional
        Parquet with the pairs (buyer_id, as_of) to compute.
    master : str, optional
        Where to run, when Spark does not run already; ``local[*]`` by default.
    on_tasks : callable, optional
        Told (tasks done, tasks in all) of the stage that runs.
    log : Path, optional
        File for what a Spark started here says beside the answer.

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    BadInput
        Spark cannot start, input that cannot be used as it is, or ``out`` exists.
    SparkFailed
        The cluster could not finish; nothing is left in ``out``.
    """
    spark = spark_session(master, log=log)
    with refusals(), working_settings(spark), watched(spark, on_tasks):
        refuse_existing(spark, fspath(out))
        frame = feature_frame(
            open_log(spark, fspath(events)),
            as_of=as_of,
            spine=None if spine is None else open_spine(spark, fspath(spine)),
            catalog=catalog,
            tasks=tasks,
            ids=ids,
            then=then,
        )
        return write_whole(frame, fspath(out))


def feature_frame(
    events: DataFrame,
    *,
    as_of: datetime | None = None,
    spine: DataFrame | None = None,
    catalog: Catalog = CATALOG,
    tasks: int | None = None,
    ids: bool = True,
    then: Then | None = None,
) -> DataFrame:
    """Plan the features of every buyer at one instant, or of the pairs of a spine.

    Compute the frame within `features.spark_session.working_settings`.

    Parameters
    ----------
    events : DataFrame
        Columns of `features.events.SCHEMA`, any order and partitioning.
    as_of : datetime, optional
        Timezone-aware: every buyer of the log is asked for at this instant.
    spine : DataFrame, optional
        Columns ``buyer_id`` and ``as_of``, instead.
    catalog : Catalog
    tasks : int, optional
        Partitions after the shuffle; by default one per half a million events.
    ids : bool
        Make sure that no buyer has an ``event_id`` twice; where two buyers share one is not seen. Leave it
        out for a log that was imported before: the column then stays where it is.
    then : Then, optional
        What becomes of each partition's features before they leave the executor.

    Returns
    -------
    DataFrame
        ``catalog.schema`` (or that of ``then``), one row per pair, in no order.

    Raises
    ------
    BadInput
        Both or neither of ``as_of`` and ``spine``; a column is missing or of another type. What a rule
        refuses is raised by the executors when the frame is computed, see `features.spark_session.refusals`.
    """
    if (as_of is None) == (spine is None):
        raise BadInput("give either as_of for every buyer or a spine of chosen pairs")
    needs, log = needs_of(catalog.plan), conform(events)
    rows = _with_origin(log.select(*_columns(needs, ids=ids)), LOGGED)
    if needs.peers:
        rows = rows.unionByName(_with_origin(peer_frame(log), PEER), allowMissingColumns=True)
    if spine is not None:
        rows = rows.unionByName(_with_origin(asked(spine), ASK), allowMissingColumns=True)
    work = OfPartition(catalog=catalog, needs=needs, as_of=as_of, ids=ids, then=then)
    by_buyer = rows.repartition(tasks or _tasks(events), "buyer_id")
    with quiet_about_pandas():
        return by_buyer.mapInArrow(work, spark_schema(work.schema))


def _tasks(events: DataFrame) -> int:
    """Give each task its share of the events, whose number Parquet's footers tell."""
    at_least: int = events.sparkSession.sparkContext.defaultParallelism
    return max(at_least, -(-events.count() // EVENTS_PER_TASK))


def _columns(needs: Needs, *, ids: bool) -> list[str]:
    ties = ("occurred_at", "event_id") if needs.ties else ()
    wanted = {"buyer_id", "kind", "recorded_at", *(("event_id",) if ids else ()), *ties, *needs.columns}
    return [name for name in SCHEMA.names if name in wanted]


def _with_origin(rows: DataFrame, origin: int) -> DataFrame:
    from pyspark.sql import functions as F  # noqa: N812

    return rows.withColumn(ORIGIN, F.lit(origin).cast("byte"))
