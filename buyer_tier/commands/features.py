"""``buyer-tier features``: compute the catalog for many buyers, into a Parquet file."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import pyarrow as pa


def features(
    events: Annotated[Path, typer.Option(help="Folder or file of the event log.")],
    out_file: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    as_of: Annotated[
        str | None, typer.Option(help="One instant for every buyer in the log, ISO 8601 with zone.")
    ] = None,
    spine: Annotated[
        Path | None, typer.Option(help="Parquet or CSV file of the pairs (buyer_id, as_of) to compute.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Compute every feature of the catalog as it was known at an instant.

    Example: buyer-tier features --events market --as-of 2026-09-01T00:00:00Z --out features.parquet
    """
    from buyer_tier.console import emit, err, out
    from features.batch import feature_table
    from features.catalog import CATALOG
    from features.errors import BadInput
    from features.files import replacing
    from features.log import read_log, write_table

    if (as_of is None) == (spine is None):
        raise BadInput("give either --as-of for every buyer or --spine FILE for chosen pairs")
    with err.status("reading the event log"):
        log = read_log(events)
        asked = _every_buyer(log, as_of) if as_of is not None else _read_spine(spine)
    with err.status(f"computing {CATALOG.n_features} features of {len(asked):,} rows"):
        table = feature_table(log, asked)
    with replacing(out_file) as temporary:
        write_table(table, temporary, kind=".parquet")
    if as_json:
        emit({"rows": len(table), "features": CATALOG.n_features, "catalog_version": CATALOG.version})
        return
    out.print(f"{len(table):,} rows of {CATALOG.n_features} features ({CATALOG.version}) in {out_file}")


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


def _every_buyer(log: pa.Table, as_of: str) -> pa.Table:
    from features.batch import spine_of

    return spine_of(log["buyer_id"].unique().sort(), instant(as_of, option="--as-of"))


def _read_spine(path: Path | None) -> pa.Table:
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
