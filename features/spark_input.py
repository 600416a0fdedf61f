"""Open logs and spines on Spark, and refuse by name what has not the contract's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from .errors import BadInput
from .events import OPTIONAL_COLUMNS, REQUIRED_COLUMNS, SCHEMA
from .parts import EVENTS_FILE, parts_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.types import StructType

_SAID: Final = {
    "timestamp": "a timestamp with a time zone",
    "bigint": "a whole number",
    "int": "a whole number",
}
_KINDRED: Final = {"bigint": ("bigint", "int"), "int": ("int", "bigint")}


def open_log(spark: SparkSession, path: str) -> DataFrame:
    """Open Parquet of the event contract: a file, a folder of parts, or one with ``events.parquet``.

    Raises
    ------
    BadInput
        Nothing there, or no Parquet.
    """
    inside = f"{path.rstrip('/')}/{EVENTS_FILE}"
    return _read(spark, inside if _exists(spark, inside) else path, REQUIRED_COLUMNS)


def open_spine(spark: SparkSession, path: str) -> DataFrame:
    """Open Parquet with ``buyer_id`` and ``as_of``.

    Raises
    ------
    BadInput
        Nothing there, or no Parquet.
    """
    return _read(spark, path, ("buyer_id", "as_of"))


def conform(events: DataFrame) -> DataFrame:
    """Give exactly the contract's columns; what a producer may leave out becomes null.

    Raises
    ------
    BadInput
        A column is missing or of another type.
    """
    from pyspark.sql import functions as F  # noqa: N812

    columns = []
    for field in spark_schema(SCHEMA).fields:
        name, wanted = field.name, field.dataType.simpleString()
        if name in OPTIONAL_COLUMNS and name not in events.columns:
            columns.append(F.lit(None).cast(wanted).alias(name))
            continue
        _require(events, name, wanted, of="events")
        columns.append(F.col(name).cast(wanted))
    return events.select(*columns)


def asked(spine: DataFrame) -> DataFrame:
    """Lay a spine into the log's columns: ``as_of`` stands where ``recorded_at`` would.

    Raises
    ------
    BadInput
        A column is missing or of another type.
    """
    from pyspark.sql import functions as F  # noqa: N812

    _require(spine, "buyer_id", "string", of="spine")
    _require(spine, "as_of", "timestamp", of="spine")
    return spine.select("buyer_id", F.col("as_of").alias("recorded_at"))


def spark_schema(schema: pa.Schema) -> StructType:
    """Give Spark's types for Arrow's, instants as instants."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema, prefer_timestamp_ntz=False)


def _require(table: DataFrame, name: str, wanted: str, *, of: str) -> None:
    if name not in table.columns:
        raise BadInput(f"the {of} has no column {name} (found: {', '.join(table.columns)})")
    found = table.schema[name].dataType.simpleString()
    if found not in _KINDRED.get(wanted, (wanted,)):
        raise BadInput(f"{name} of the {of} is {found}, it must be {_SAID.get(wanted, wanted)}")


def _read(spark: SparkSession, path: str, columns: Sequence[str]) -> DataFrame:
    """Read every file at any depth; a folder's name is a column only where files lack one of ``columns``."""
    if not _exists(spark, path):
        raise BadInput(f"{path}: no such file or folder")
    if path.lower().endswith(".csv"):
        raise BadInput(f"{path}: Spark reads Parquet here; bring a log over with buyer-tier import events")
    # Parts may differ in the columns that producers may leave out; a conflict of types is an error.
    read = spark.read.option("mergeSchema", "true")
    found = read.option("recursiveFileLookup", "true").parquet(path)
    if set(columns) <= set(found.columns):
        _refuse_uneven(spark, path, columns)
        return found
    named = spark.read.option("mergeSchema", "true").parquet(path)
    # Spark passes over files that lie beside folders such as day=1, and says nothing.
    if set(named.columns) > set(found.columns) and named.count() != found.count():
        raise BadInput(f"{path}: has files beside folders such as {named.columns[-1]}=…; move them into one")
    return named


def _refuse_uneven(spark: SparkSession, path: str, columns: Sequence[str]) -> None:
    """Refuse a file that lacks a column or is empty; Spark would take nulls for it, or nothing.

    Only on the driver's own disks: elsewhere Spark's reading stands.
    """
    where, files = hadoop(spark, path)
    if files.getScheme() != "file":
        return
    for part in parts_of(where.toUri().getPath()):
        try:
            found = pq.read_schema(part).names
        except (OSError, pa.ArrowInvalid) as error:
            raise BadInput(f"{part}: cannot be read as Parquet ({str(error).splitlines()[0]})") from None
        if missing := [name for name in columns if name not in found]:
            raise BadInput(f"{part}: has no column {missing[0]}, which other files have")


def _exists(spark: SparkSession, path: str) -> bool:
    where, files = hadoop(spark, path)
    return bool(files.exists(where))


def hadoop(spark: SparkSession, path: str) -> tuple[Any, Any]:
    """Give Hadoop's path and its file system: local, HDFS or an object store, whatever the URL says."""
    jvm: Any = spark.sparkContext._jvm
    where = jvm.org.apache.hadoop.fs.Path(path)
    return where, where.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration())
