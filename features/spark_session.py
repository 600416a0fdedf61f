"""Spark itself: the session, its settings while we work, and its errors in our words."""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

from .errors import BadInput

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_WHILE_WE_WORK: Final = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    # A folder buyer_id=000123 means the text, not the number 123.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
}
_OURS: Final = re.compile(r"^features\.\w+\.BadInput: (.+)$", re.MULTILINE)
_CAUSE: Final = re.compile(r"(?:Exception|Error): (\[[A-Z_.]+\] [^\n]+|Job aborted[^\n]+)")
_STRUCT: Final = re.compile(r'"STRUCT<([^"]*)>"')


class SparkFailed(Exception):  # noqa: N818 - it names what happened, not a fault of ours
    """Spark gave up on a sound question: no memory, no disk, no executors; says why in one line."""


def spark_session(
    master: str | None = None, *, settings: Mapping[str, str] | None = None, log: Path | None = None
) -> SparkSession:
    """Give the running session (that of ``spark-submit``, for one), or start one.

    Parameters
    ----------
    master : str, optional
        As Spark names it; ``local[*]`` when neither this nor ``spark-defaults.conf`` says.
    settings : mapping of str to str, optional
        Spark's own, such as ``spark.executor.memory``.
    log : Path, optional
        File that gets what a Spark started here would say on standard error.

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
        with _stderr_into(log) if log else nullcontext():
            return (builder.master(master) if master else builder).getOrCreate()
    except Exception as error:
        if not isinstance(error, PySparkException | OSError | RuntimeError) and not _from_the_jvm(error):
            raise
        told = f"Spark did not start ({_said(error)}); it needs Java 17 or later and a master that answers"
        raise BadInput(f"{told}; its log: {log}" if log else told) from error


@contextmanager
def _stderr_into(log: Path) -> Iterator[None]:
    """Let processes that start meanwhile inherit a file as their standard error, for good."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stderr.flush()
    before = os.dup(2)
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


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
    """Raise what an executor refused as the `BadInput` that it was, and Spark's own trouble in one line.

    Raises
    ------
    BadInput
        The input cannot be used as it is.
    SparkFailed
        Anything else that ended a job.
    """
    from pyspark.errors import AnalysisException, PySparkException

    try:
        yield
    except AnalysisException as error:
        raise BadInput(_said(error)) from error
    except Exception as error:
        if found := _OURS.search(str(error)):
            raise BadInput(found[1]) from error
        if isinstance(error, PySparkException) or _from_the_jvm(error):
            kind = BadInput if re.search(r"\[(CANNOT_MERGE|FAILED_READ_FILE)", str(error)) else SparkFailed
            raise kind(_said(error)) from error
        raise


def _from_the_jvm(error: Exception) -> bool:
    from py4j.protocol import Py4JError

    return isinstance(error, Py4JError | ConnectionError)


def _said(error: Exception) -> str:
    text = str(error).strip()
    schemas = [dict(re.findall(r"(\w+): (\w+)", found)) for found in _STRUCT.findall(text)]
    if "CANNOT_MERGE_SCHEMAS" in text and len(schemas) == 2:
        one, other = schemas
        names = [name for name in one if other.get(name, one[name]) != one[name]]
        return "the files disagree on the type of " + "; ".join(
            f"{n}: {one[n]} and {other[n]}" for n in names
        )
    found = _CAUSE.search(text)
    return found[1] if found else (text.splitlines() or [type(error).__name__])[0]
