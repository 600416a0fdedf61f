"""How far Spark's running stage is, told while the driver waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OnTasks = Callable[[int, int], None]
"""Told (tasks done, tasks in all) of the stage that runs."""

_EVERY_SECONDS: Final = 0.5


@contextmanager
def watched(spark: SparkSession, on_tasks: OnTasks | None) -> Iterator[None]:
    """Tell ``on_tasks``, from a thread of its own, how far the latest stage is."""
    if on_tasks is None:
        yield
        return
    over = Event()
    watcher = Thread(target=_watch, args=(spark, on_tasks, over), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(spark: SparkSession, on_tasks: OnTasks, over: Event) -> None:
    tracker = spark.sparkContext.statusTracker()
    while not over.wait(_EVERY_SECONDS):
        try:
            latest = tracker.getStageInfo(max(tracker.getActiveStageIds(), default=-1))
        except Exception:  # Spark is going down; whoever waits for the answer hears of it
            return
        if latest is not None:
            on_tasks(latest.numCompletedTasks, latest.numTasks)
