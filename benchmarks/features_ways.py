"""Ways to the same 69 columns: ours, and what people would otherwise write.

Each takes the folder of a log and returns the columns by name in the spine's order; NaN where no such
event was known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.features_columns import COUNTED, DAY_US, MEASURES, PLAIN, RECENT, SUMMED, WINDOWS, name

Columns = dict[str, npt.NDArray[np.float64]]
Answer = tuple[Columns, dict[str, int]]
"""The columns, and what else a way says of itself."""
READ: Final = ["buyer_id", "kind", "recorded_at", "amount_fen"]


def ours(folder: Path) -> Answer:
    from features.stream import feature_table_of

    table = feature_table_of(
        folder / "events.parquet", pq.read_table(folder / "spine.parquet"), catalog=PLAIN
    )
    return {n: table[n].to_numpy() for n in PLAIN.names}, {}


def ours_full(folder: Path) -> Answer:
    from features.stream import feature_table_of

    table = feature_table_of(folder / "events.parquet", pq.read_table(folder / "spine.parquet"))
    return {}, {"rows": len(table)}


def streamed(folder: Path, *, full: bool, memory: int) -> Columns:
    """Write the features to a file within a stated memory; the file is what is asked for."""
    from features.catalog import CATALOG
    from features.stream import feature_files

    catalog = CATALOG if full else PLAIN
    spine = pq.read_table(folder / "spine.parquet")
    out = folder / "features.parquet"
    feature_files(folder / "events.parquet", spine, out, catalog=catalog, memory=memory)
    out.unlink()
    return {}


def floor(folder: Path) -> Answer:
    """Read the columns and sort them by (buyer, time): what any of these must do at least."""
    con = _duckdb()
    table = con.sql(
        f"select {', '.join(READ)} from read_parquet('{folder}/events.parquet') "
        "order by buyer_id, recorded_at"
    ).to_arrow_table()
    return {}, {"sorted_mib": round(table.nbytes / 2**20)}


def duckdb_range(folder: Path) -> Answer:
    """Range windows over events and asks together; an ask does not see what is recorded at its instant."""
    con = _duckdb()
    frames = ", ".join(
        f"w{i} as (partition by buyer_id order by t range between "
        f"{'unbounded' if w is None else w * DAY_US} preceding and 1 preceding)"
        for i, w in enumerate(WINDOWS)
    )
    picks = [
        f"{_sql(kind, what)} over w{i} as {name(kind, what, w)}"
        for kind, what in MEASURES
        for i, w in enumerate(WINDOWS)
    ]
    picks += [f"max(case when kind = '{k}' then t end) over w{len(WINDOWS) - 1} as last_{k}" for k in RECENT]
    table = con.sql(
        f"""with both_ as (
              select buyer_id, kind, epoch_us(recorded_at) as t, amount_fen, null as ask
              from read_parquet('{folder}/events.parquet')
              union all
              select buyer_id, null, epoch_us(as_of), null, file_row_number
              from read_parquet('{folder}/spine.parquet', file_row_number = true)),
            windowed as (select ask, t, {", ".join(picks)} from both_ window {frames})
            select * from windowed where ask is not null order by ask"""
    ).to_arrow_table()
    return _finished(table), {}


def duckdb_asof(folder: Path) -> Answer:
    """Running totals, looked up as of the window's end and as of its beginning."""
    con = _duckdb()
    running = ", ".join(f"{_sql(k, what)} over w as run_{i}" for i, (k, what) in enumerate(MEASURES))
    last = ", ".join(f"max(case when kind = '{k}' then t end) over w as last_{k}" for k in RECENT)
    con.sql(
        f"""create table running as
            select buyer_id, t, {running}, {last} from (
              select buyer_id, kind, epoch_us(recorded_at) as t, amount_fen
              from read_parquet('{folder}/events.parquet'))
            window w as (partition by buyer_id order by t rows unbounded preceding)"""
    )
    con.sql(
        f"""create table asks as select buyer_id, epoch_us(as_of) as t, file_row_number as ask
            from read_parquet('{folder}/spine.parquet', file_row_number = true)"""
    )
    upto = con.sql(
        "select r.*, a.t as t_1 from asks a asof left join running r "
        "on a.buyer_id = r.buyer_id and a.t > r.t order by a.ask"
    ).to_arrow_table()
    total = {m: _zeros(upto[f"run_{i}"]) for i, m in enumerate(MEASURES)}
    columns: Columns = {}
    for w in WINDOWS:
        before: dict[Any, npt.NDArray[np.int64] | int] = dict.fromkeys(MEASURES, 0)
        if w is not None:
            found = con.sql(
                f"select {', '.join(f'run_{i}' for i in range(len(MEASURES)))} from asks a asof left join "
                f"running r on a.buyer_id = r.buyer_id and a.t - {w * DAY_US} > r.t order by a.ask"
            ).to_arrow_table()
            before = {m: _zeros(found[f"run_{i}"]) for i, m in enumerate(MEASURES)}
        for m in MEASURES:
            columns[name(*m, w)] = (total[m] - before[m]).astype(np.float64)
    columns.update(_recencies(upto, upto["t_1"].to_numpy()))
    return columns, {}


def polars(folder: Path) -> Answer:
    """Running totals and ``join_asof``, one for each end and beginning of a window."""
    import polars as pl

    t = pl.col("recorded_at").dt.epoch("us")
    events = (
        pl.scan_parquet(folder / "events.parquet")
        .select("buyer_id", "kind", "amount_fen", t=t)
        .sort("buyer_id", "t")
        .with_columns(
            *(_polars(k, what).cum_sum().over("buyer_id").alias(f"run_{i}")
              for i, (k, what) in enumerate(MEASURES)),
            *(pl.when(pl.col("kind") == k).then("t").forward_fill().over("buyer_id").alias(f"last_{k}")
              for k in RECENT),
        )
        .drop("kind", "amount_fen")
        .collect()
        .sort("t")
    )  # fmt: skip
    asks = pl.read_parquet(folder / "spine.parquet").with_row_index("ask")
    asks = asks.select("ask", "buyer_id", as_of=pl.col("as_of").dt.epoch("us"))

    def upto(back: int) -> pl.DataFrame:
        at = asks.with_columns(at=pl.col("as_of") - back - 1).sort("at")
        found = at.join_asof(events, left_on="at", right_on="t", by="buyer_id", check_sortedness=False)
        return found.sort("ask")

    last = upto(0)
    columns: Columns = {}
    for w in WINDOWS:
        first = None if w is None else upto(w * DAY_US)
        for i, m in enumerate(MEASURES):
            total = last[f"run_{i}"].fill_null(0).to_numpy()
            before = 0 if first is None else first[f"run_{i}"].fill_null(0).to_numpy()
            columns[name(*m, w)] = (total - before).astype(np.float64)
    columns.update(_recencies(last.to_arrow(), asks["as_of"].to_numpy()))
    return columns, {}


def numpy(folder: Path) -> Answer:
    """Sort, prefix sums per measure, binary search of every window's ends on (buyer, time)."""
    buyer, kinds, t, amount = _arrays(folder)
    order = np.lexsort((t, buyer))
    buyer, t, amount = buyer[order], t[order], amount[order]
    kinds = {k: where[order] for k, where in kinds.items()}
    asker, as_of = _asks(folder)
    start = np.searchsorted(buyer, asker)
    times, width = np.sort(t), len(t) + 1
    key = buyer * width + np.searchsorted(times, t)

    def upto(when: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
        return np.searchsorted(key, asker * width + np.searchsorted(times, when))

    ends = upto(as_of)
    begins = [start if w is None else upto(as_of - w * DAY_US) for w in WINDOWS]
    columns: Columns = {}
    for kind, what in MEASURES:
        value = kinds[kind] if what == "count" else np.where(kinds[kind], amount, 0)
        prefix = np.concatenate([[0], np.cumsum(value, dtype=np.int64)])
        for w, begin in zip(WINDOWS, begins, strict=True):
            columns[name(kind, what, w)] = (prefix[ends] - prefix[begin]).astype(np.float64)
    for kind in RECENT:
        latest = np.maximum.accumulate(np.where(kinds[kind], np.arange(len(t)), -1))
        at = np.where(ends > 0, latest[ends - 1], -1)
        known = (at >= start) & (ends > 0)
        columns[f"days_since_last_{kind}"] = np.where(known, (as_of - t[at]) / DAY_US, np.nan)
    return columns, {}


def pandas(folder: Path) -> Answer:
    """Running totals by group and ``merge_asof``."""
    import pandas as pd

    table = pq.read_table(folder / "events.parquet", columns=READ)
    events = table.set_column(2, "t", table["recorded_at"].cast(pa.int64())).to_pandas()
    events = events.sort_values(["buyer_id", "t"], kind="stable")
    runs = {}
    for i, (kind, what) in enumerate(MEASURES):
        hit = events["kind"] == kind
        value = hit.astype("int64") if what == "count" else events["amount_fen"].where(hit, 0).astype("int64")
        runs[f"run_{i}"] = value.groupby(events["buyer_id"], sort=False).cumsum()
    for kind in RECENT:
        latest = events["t"].where(events["kind"] == kind)
        runs[f"last_{kind}"] = latest.groupby(events["buyer_id"], sort=False).ffill()
    running = pd.concat([events[["buyer_id", "t"]], pd.DataFrame(runs)], axis=1).sort_values(
        "t", kind="stable"
    )
    spine = pq.read_table(folder / "spine.parquet")
    asks = pd.DataFrame({"buyer_id": spine["buyer_id"].to_pandas(), "as_of": spine["as_of"].cast(pa.int64())})
    asks["as_of"] = asks["as_of"].astype("int64")

    def upto(back: int) -> pd.DataFrame:
        at = asks.assign(at=asks["as_of"] - back).sort_values("at", kind="stable")
        found = pd.merge_asof(
            at, running, left_on="at", right_on="t", by="buyer_id", allow_exact_matches=False
        )
        return found.set_index(at.index).sort_index()

    last = upto(0)
    columns: Columns = {}
    for w in WINDOWS:
        first = None if w is None else upto(w * DAY_US)
        for i, m in enumerate(MEASURES):
            before = 0 if first is None else first[f"run_{i}"].fillna(0).to_numpy()
            columns[name(*m, w)] = (last[f"run_{i}"].fillna(0).to_numpy() - before).astype(np.float64)
    for kind in RECENT:
        columns[f"days_since_last_{kind}"] = ((asks["as_of"] - last[f"last_{kind}"]) / DAY_US).to_numpy()
    return columns, {}


WAYS: Final[dict[str, Callable[[Path], Answer]]] = {
    "floor": floor,
    "ours": ours,
    "ours-full": ours_full,
    "numpy": numpy,
    "polars": polars,
    "duckdb-asof": duckdb_asof,
    "duckdb-range": duckdb_range,
    "pandas": pandas,
}


def _duckdb() -> Any:
    import duckdb

    con = duckdb.connect()
    con.sql("set threads = 2")
    return con


def _sql(kind: str, what: str) -> str:
    value = "1" if what == "count" else "amount_fen"
    return f"sum(case when kind = '{kind}' then {value} else 0 end)"


def _polars(kind: str, what: str) -> Any:
    import polars as pl

    hit = pl.col("kind") == kind
    if what == "count":
        return hit.cast(pl.Int64)
    return pl.when(hit).then(pl.col("amount_fen").fill_null(0)).otherwise(0)


def _zeros(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.nan_to_num(column.cast(pa.float64(), safe=False).to_numpy()).astype(np.int64)


def _finished(table: pa.Table) -> Columns:
    columns = {
        name(k, what, w): _zeros(table[name(k, what, w)]).astype(np.float64)
        for k, what in MEASURES
        for w in WINDOWS
    }
    return columns | dict(_recencies(table, table["t"].to_numpy()))


def _recencies(table: pa.Table, as_of: npt.NDArray[np.int64]) -> Iterator[tuple[str, Any]]:
    for kind in RECENT:
        last = table[f"last_{kind}"].to_numpy().astype(np.float64)
        yield f"days_since_last_{kind}", (as_of - last) / DAY_US


def _arrays(folder: Path) -> tuple[Any, dict[str, Any], Any, Any]:
    table = pq.read_table(folder / "events.parquet", columns=READ, read_dictionary=["kind"])
    everyone = pa.chunked_array([*table["buyer_id"].chunks, *_spine(folder)["buyer_id"].chunks])
    codes = everyone.dictionary_encode().combine_chunks().indices.to_numpy().astype(np.int64)
    kind = table["kind"].cast(pa.string()).dictionary_encode().combine_chunks()
    words, index = kind.dictionary.to_pylist(), kind.indices.to_numpy()
    kinds = {k: index == words.index(k) for k in {*COUNTED, *SUMMED, *RECENT}}
    amount = np.asarray(table["amount_fen"].fill_null(0).to_numpy())
    return codes[: len(table)], kinds, table["recorded_at"].cast(pa.int64()).to_numpy(), amount


def _spine(folder: Path) -> pa.Table:
    return pq.read_table(folder / "spine.parquet")


def _asks(folder: Path) -> tuple[Any, Any]:
    buyers = pq.read_table(folder / "events.parquet", columns=["buyer_id"])["buyer_id"]
    spine = _spine(folder)
    everyone = pa.chunked_array([*buyers.chunks, *spine["buyer_id"].chunks]).dictionary_encode()
    codes = everyone.combine_chunks().indices.to_numpy().astype(np.int64)
    return codes[len(buyers) :], spine["as_of"].cast(pa.int64()).to_numpy()
