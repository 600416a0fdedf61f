"""On a cluster of a master and two workers the answers are those of one machine, also when a worker dies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from features.batch import feature_table, spine_of
from features.catalog import CATALOG
from features.log import write_log
from features.spark import feature_files_spark
from features.spark_session import spark_session
from tests.features.spark_answers import AS_OF, assert_same_bytes, market, read_parts
from tests.features.spark_cluster import OF_CLUSTER, Cluster, needs_spark

pytestmark = [needs_spark, pytest.mark.slow]
TASKS = 12


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    running = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def spark(cluster: Cluster) -> Iterator[Any]:
    session = spark_session(cluster.url, settings=OF_CLUSTER)
    yield session
    session.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    write_log(market(), folder)
    return folder


@pytest.fixture(scope="module")
def features() -> pa.Table:
    log = market()
    return feature_table(log, spine_of(log["buyer_id"].unique(), AS_OF))


def test_two_workers_give_the_local_engines_bytes(
    spark: Any, folder: Path, features: pa.Table, tmp_path: Path
) -> None:
    feature_files_spark(folder, tmp_path / "out", as_of=AS_OF, tasks=4)
    assert _executors(spark) == 2
    assert_same_bytes(read_parts(tmp_path / "out"), features)


def test_a_worker_that_dies_mid_run_costs_time_and_no_answer(
    cluster: Cluster, spark: Any, folder: Path, features: pa.Table, tmp_path: Path
) -> None:
    class Slowly:
        """Gives the features as they are, in time to be interrupted."""

        schema = CATALOG.schema

        def __call__(self, features: pa.Table) -> pa.Table:
            time.sleep(0.5)
            return features

    def run() -> int:
        return feature_files_spark(folder, tmp_path / "out", as_of=AS_OF, tasks=TASKS, then=Slowly())

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(run)
        done = _wait_for_the_first_tasks(spark, answer)
        cluster.kill_a_worker()
        assert answer.result() == len(features)
    assert 0 < done < TASKS
    assert _executors(spark) == 1
    assert_same_bytes(read_parts(tmp_path / "out"), features)


def _wait_for_the_first_tasks(spark: Any, answer: Any) -> int:
    """Wait until some, not all, of the tasks that hold whole buyers are done; say how many."""
    tracker = spark.sparkContext.statusTracker()
    while not answer.done():
        for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
            if stage is not None and stage.numTasks == TASKS and stage.numCompletedTasks:
                return int(stage.numCompletedTasks)
        time.sleep(0.02)
    answer.result()
    raise AssertionError("the run was over before a worker could die")


def _executors(spark: Any) -> int:
    """Count the executors; the driver is listed too."""
    return int(spark.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) - 1
