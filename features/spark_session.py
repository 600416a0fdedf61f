"""Spark itself: the session, its settings while we work, and its errors in our words."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from .errors import BadInput

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_WHILE_WE_WORK: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
}
_OURS: Final = re.compile(r"^features\.\w+\.(?:BadInput|BadEvents): (.+)$", re.MULTILINE)


def spark_session(master: str | None = None, *, settings: Mapping[str, str] | None = None) -> SparkSession:
    """Give the running session (that of ``spark-submit``, for one), or start one.

    Parameters
    ----------
    master : str, optional
        As Spark names it; ``local[*]`` when neither this nor ``spark-defaults.conf`` says.
    settings : mapping of str to str, optional
        Spark's own, such as ``spark.executor.memory``.

    Raises
    ------
    BadInput
        PySpark or Java is not installed, or the master does not answer; says what to do.
    """
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise BadInput("the Spark engine needs PySpark: pip install 'buyer-tier[spark]'") from None
    # Spark reads the executors' Python from the environment alone when Python starts it.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    # Pandera sets this when it is imported; a driver on loopback is out of a cluster's reach.
    if master and not master.startswith("local") and os.environ.get("SPARK_LOCAL_IP") == "127.0.0.1":
        del os.environ["SPARK_LOCAL_IP"]
    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    builder = SparkSession.builder.appName("buyer-tier").config("spark.ui.showConsoleProgress", "false")
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    try:
        return (builder.master(master) if master else builder).getOrCreate()
    except (PySparkException, OSError, RuntimeError) as error:
        raise BadInput(f"Spark did not start ({_first_line(error)}); it needs Java 17 or later") from error


@contextmanager
def working_settings(spark: SparkSession) -> Iterator[None]:
    """Set what our reading and writing relies on, and put the caller's settings back."""
    before = {name: spark.conf.get(name, None) for name in _WHILE_WE_WORK}
    for name, value in _WHILE_WE_WORK.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, old in before.items():
            spark.conf.unset(name) if old is None else spark.conf.set(name, old)


@contextmanager
def quiet_about_pandas() -> Iterator[None]:
    """Drop PySpark's warning of pandas 3, which no path of ours goes through: batches stay in Arrow."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
        yield


@contextmanager
def refusals() -> Iterator[None]:
    """Raise what an executor refused as the `BadInput` that it was; Spark's analysis errors too."""
    from pyspark.errors import AnalysisException, PySparkException

    try:
        yield
    except AnalysisException as error:
        raise BadInput(_first_line(error)) from error
    except PySparkException as error:
        if found := _OURS.search(str(error)):
            raise BadInput(found[1]) from error
        raise


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
