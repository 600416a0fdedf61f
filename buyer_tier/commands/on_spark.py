"""What ``--engine spark`` does for the verbs that have it: progress on a line, Spark's words in a file."""

from __future__ import annotations

import signal
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from features.spark_partition import Then


class Engine(StrEnum):
    """Where features are computed."""

    local = "local"
    spark = "spark"


EngineOption = Annotated[
    Engine, typer.Option(help="`local`, or `spark`: the same bytes, written as a folder of Parquet parts.")
]
MasterOption = Annotated[
    str | None,
    typer.Option("--spark-master", help="Such as spark://HOST:7077; else Spark's own default, or local[*]."),
]
TasksOption = Annotated[
    int | None, typer.Option("--spark-tasks", min=1, help="Default: one per half a million events.")
]


def refuse_without_spark(engine: Engine, **options: object) -> None:
    """Raise `BadInput` for an option that only Spark has."""
    from features.errors import BadInput

    for name, value in options.items():
        if engine is not Engine.spark and value is not None:
            raise BadInput(f"--{name.replace('_', '-')} needs --engine spark")


def compute_on_spark(
    events: str,
    out: str,
    *,
    as_of: datetime | None,
    spine: str | None = None,
    master: str | None,
    tasks: int | None,
    then: Then | None = None,
) -> int:
    """Run `features.spark.feature_files_spark` and return the number of rows."""
    from buyer_tier.console import err
    from features.spark import feature_files_spark
    from serving.settings import Settings

    # An exit in the middle of a call to the JVM breaks the connection that cleaning up would need.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with err.status("starting Spark") as status:
        return feature_files_spark(
            events,
            out,
            as_of=as_of,
            spine=spine,
            master=master,
            tasks=tasks,
            then=then,
            on_tasks=lambda done, of: status.update(f"Spark: {done:,} of {of:,} tasks of this stage"),
            log=Settings().home / "spark.log",
        )
