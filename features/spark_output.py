"""Write a Spark frame as a folder of Parquet parts: a reader finds all of it or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from .errors import BadInput
from .spark_input import hadoop

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


def refuse_existing(spark: SparkSession, out: str) -> None:
    """Raise `BadInput` where something is already, before any work."""
    target, files = hadoop(spark, out)
    if files.exists(target):
        raise BadInput(f"{out}: exists; name another folder or remove it")


def write_whole(frame: DataFrame, out: str) -> int:
    """Compute a frame into ``out``, a folder that is not there yet, and return the number of rows.

    Executors write into a hidden sibling, which takes the name when all are done. (Object stores rename
    by copying: there, the ``_SUCCESS`` file that comes last is the sign.)

    Raises
    ------
    BadInput
        ``out`` exists.
    """
    spark = frame.sparkSession
    target, files = hadoop(spark, out)
    hidden = f".{target.getName()}.{uuid4().hex[:8]}.tmp"  # two runs must not write into one folder
    parent = target.getParent()
    temporary = f"{parent.toString()}/{hidden}" if parent is not None else hidden
    try:
        frame.write.mode("overwrite").option("compression", "zstd").parquet(temporary)
        rows: int = spark.read.parquet(temporary).count()
        refuse_existing(spark, out)  # a rename onto a folder would move ours into it
        if not files.rename(hadoop(spark, temporary)[0], target):
            raise BadInput(f"{out}: cannot be written (another run wrote it meanwhile?)")
    finally:
        files.delete(hadoop(spark, temporary)[0], True)
    return rows
