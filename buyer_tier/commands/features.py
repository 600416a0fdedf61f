"""``buyer-tier features``: compute the catalog for many buyers, into a Parquet file."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .on_spark import (
    Engine,
    EngineOption,
    MasterOption,
    TasksOption,
    compute_on_spark,
    refuse_without_spark,
)

if TYPE_CHECKING:
    import pyarrow as pa


def features(
    events: Annotated[str, typer.Option(help="Folder, file or URL of the event log.")],
    out_file: Annotated[Path, typer.Option("--out", help="Parquet file to write; with Spark a new folder.")],
    as_of: Annotated[
        str | None, typer.Option(help="One instant for every buyer in the log, ISO 8601 with zone.")
    ] = None,
    spine: Annotated[
        Path | None, typer.Option(help="Parquet or CSV file of the pairs (buyer_id, as_of) to compute.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(help="Take at most this much, such as 4GiB (at least 1GiB), in more passes."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps results by day: only new days and new features are computed."),
    ] = None,
    engine: EngineOption = Engine.local,
    master: MasterOption = None,
    tasks: TasksOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Compute every feature of the catalog as it was known at an instant.

    A Parquet log is checked in the columns that features read: their types in
    every file, times, amounts, ids and words, and that no event_id repeats.
    Whether a refund's order is in the log, `buyer-tier import events` asks.
    A log with CSV is checked as a whole.

    Rows are in the order of the spine; for --as-of, of the buyers' ids; with
    --store, of days; with --engine spark, in none.

    Example: buyer-tier features --events market --as-of 2026-09-01T00:00:00Z --out features.parquet

    Example: buyer-tier features --events market --spine daily.parquet --store kept --out all.parquet

    Example: buyer-tier features --engine spark --events market --as-of 2026-09-01T00:00:00Z --out features
    """
    from buyer_tier.console import emit, out
    from buyer_tier.log_source import local_log
    from features.catalog import CATALOG
    from features.errors import BadInput

    if (as_of is None) == (spine is None):
        raise BadInput("give either --as-of for every buyer or --spine FILE for chosen pairs")
    refuse_without_spark(engine, spark_master=master, spark_tasks=tasks)
    limit = None if memory is None else size_in_bytes(memory, option="--memory")
    if engine is Engine.spark:
        if limit is not None or store is not None:
            raise BadInput(
                "--memory and --store belong to the local engine; Spark's memory is set in its own way"
            )
        when = None if as_of is None else instant(as_of, option="--as-of")
        pairs = None if spine is None else str(spine)
        count = compute_on_spark(events, str(out_file), as_of=when, spine=pairs, master=master, tasks=tasks)
        done = {"rows": count}
    else:
        asked = _read_spine(spine) if spine is not None else instant(str(as_of), option="--as-of")
        with local_log(events) as log:
            done = _compute(log, out_file, asked, memory=limit, store=store)
    if as_json:
        emit({"features": CATALOG.n_features, "catalog_version": CATALOG.version, **done})
        return
    kept = f"; {done['days_kept']} days kept, {done['days_computed']} computed" if store else ""
    rows = f"{done['rows']:,} rows of {CATALOG.n_features} features"
    out.print(f"{rows} ({CATALOG.version}) in {out_file}{kept}")


def size_in_bytes(text: str, *, option: str) -> int:
    """Parse an amount of memory such as ``4GiB`` or ``1500MiB``."""
    from features.errors import BadInput

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT])i?B?", text.strip(), re.IGNORECASE)
    if found is None:
        raise BadInput(f"{option} is {text!r}: give a size such as 4GiB or 1500MiB")
    return int(float(found[1]) * 1024 ** (1 + "KMGT".index(found[2].upper())))


def _compute(
    events: Path, out_file: Path, asked: pa.Table | datetime, *, memory: int | None, store: Path | None
) -> dict[str, int]:
    from features.log import is_checked_whole

    if store is not None:
        return _by_day(events, out_file, asked, memory=memory, store=store)
    if memory is None and is_checked_whole(events):
        return _of_csv(events, out_file, asked)
    return _of_parquet(events, out_file, asked, memory=memory)


def _of_parquet(
    events: Path, out_file: Path, asked: pa.Table | datetime, *, memory: int | None
) -> dict[str, int]:
    from buyer_tier.console import err
    from features.stream import feature_files

    with err.status("computing the features") as status:

        def told(done: int, groups: int) -> None:
            status.update(f"computing the features: {done} of {groups} groups of buyers")

        return {"rows": feature_files(events, asked, out_file, memory=memory, on_group=told)}


def _of_csv(events: Path, out_file: Path, asked: pa.Table | datetime) -> dict[str, int]:
    from buyer_tier.console import err
    from features.batch import feature_table, spine_of
    from features.files import replacing
    from features.log import read_log
    from features.stream import write_features

    with err.status("reading the event log"):
        log = read_log(events)
    if isinstance(asked, datetime):
        asked = spine_of(log["buyer_id"].unique().sort(), asked)
    with err.status(f"computing the features of {len(asked):,} rows"):
        table = feature_table(log, asked)
    with replacing(out_file) as temporary:
        write_features([table], temporary, schema=table.schema)
    return {"rows": len(table)}


def _by_day(
    events: Path, out_file: Path, asked: pa.Table | datetime, *, memory: int | None, store: Path
) -> dict[str, int]:
    from buyer_tier.console import err
    from features.backfill import backfill, write_stored
    from features.batch import spine_of
    from features.census import buyers_of
    from features.files import claimed
    from features.scan import open_log

    log = open_log(events)
    with err.status("reading who is asked for"):
        spine = spine_of(buyers_of(log), asked) if isinstance(asked, datetime) else asked
    with err.status(f"computing the features of {len(spine):,} rows"), claimed(store, result=store):
        done = backfill(log, spine, store, memory=memory)
        rows = write_stored(store, out_file)
    counts = {"days_kept": len(done.kept), "days_computed": len(done.computed)}
    return {"rows": rows, **counts, "families_computed": done.families}


def instant(text: str, *, option: str) -> datetime:
    """Parse an instant that must carry its time zone."""
    from features.errors import BadInput

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(f"{option} is {text!r}: give ISO 8601, such as 2026-09-01T00:00:00Z") from None
    if when.utcoffset() is None:
        raise BadInput(f"{option} {text!r} has no time zone: add Z or an offset such as +08:00")
    return when


def _read_spine(path: Path) -> pa.Table:
    import pyarrow as pa
    import pyarrow.csv as pacsv
    import pyarrow.parquet as pq

    from features.errors import BadInput

    try:
        if str(path).endswith(".csv"):  # a buyer's id may look like a number: 000123 is not 123
            text = pacsv.ConvertOptions(column_types={"buyer_id": pa.string()})
            return pacsv.read_csv(path, convert_options=text)
        return pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInput(f"{path}: cannot be read as a spine ({str(error).splitlines()[0]})") from None
