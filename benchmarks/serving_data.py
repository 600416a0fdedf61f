"""What the serving benchmark needs: a loaded history, a trained model, keys, and requests to send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import asyncpg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from backtest.marketplace import MarketConfig, simulate
from features.batch import feature_table
from features.catalog import CATALOG
from features.events import TIMESTAMP
from features.log import read_log, write_log
from models.registry import Registry
from serving.bulk import load_log, pack_histories
from serving.session import opened
from serving.settings import Settings
from serving.store import keys
from training.abuse import train_abuse

ORDERS: Final = 200_000
ROWS: Final = 1_000
MADE_HERE: Final = "bench-"
"""What events and after-sales that the benchmark sends begin with."""


def history(folder: Path, *, buyers: int) -> pa.Table:
    """Simulate the market and train the model on it, unless both are there."""
    log = folder / "market"
    if not log.exists():
        write_log(simulate(MarketConfig(buyers=buyers, days=540, seed=7)).events, log)
    events = read_log(log)
    settings = Settings(home=folder / "home")
    if not (folder / "home" / "mlflow.db").exists():
        train_abuse(events, tracking_uri=settings.tracking_uri)
    return events


def requests(folder: Path, events: pa.Table) -> Path:
    """Write what the load draws from: paid orders, buyers, and vectors as MLflow takes them."""
    out = folder / "requests.json"
    if out.exists():
        return out
    paid = events.filter(pc.equal(events["kind"], "order_paid"))
    paid = paid.take(np.random.default_rng(0).permutation(len(paid))[:ORDERS])
    rows = [
        [r["buyer_id"], r["order_id"], r["shop_id"], r["category_id"], r["goods_type"], r["amount_fen"],
         r["occurred_at"].isoformat()] for r in paid.to_pylist() if r["amount_fen"]
    ]  # fmt: skip
    buyers = pc.unique(events["buyer_id"]).to_pylist()
    spine = pa.table(
        {"buyer_id": buyers[:ROWS], "as_of": pa.repeat(pa.scalar(datetime.now(UTC), TIMESTAMP), ROWS)}
    )
    table = feature_table(events, spine)
    vectors = np.column_stack([table[name].to_numpy() for name in CATALOG.names])
    out.write_text(json.dumps({"orders": rows, "buyers": buyers, **as_mlflow_takes_them(vectors)}))
    return out


def as_mlflow_takes_them(vectors: np.ndarray) -> dict[str, list[str]]:
    """Write one row a body, in the two forms that MLflow's server reads."""
    names = list(CATALOG.names)
    bodies: dict[str, list[str]] = {"split": [], "csv": []}
    for vector in vectors:
        values = [None if np.isnan(v) else float(v) for v in vector]
        bodies["split"].append(json.dumps({"dataframe_split": {"columns": names, "data": [values]}}))
        bodies["csv"].append(
            ",".join(names) + "\n" + ",".join("" if v is None else repr(v) for v in values) + "\n"
        )
    return bodies


async def loaded(settings: Settings, url: str, events: pa.Table) -> str:
    """Bring the database to the history and nothing else; give a key that may do everything."""
    async with opened(settings, url) as database:
        async with database.connection() as connection:
            await _emptied(connection)
            stored = await connection.fetchval("SELECT count(*) FROM events")
        if stored != events.num_rows:
            await load_log(database, events)
        else:
            await pack_histories(database, events)
        async with database.transaction() as connection:
            key, _ = await keys.create(
                connection, name="bench", scopes=keys.SCOPES, now=datetime.now(UTC), expires_at=None
            )
        return key


async def _emptied(connection: Any) -> None:
    await connection.execute("DROP TABLE IF EXISTS naive_decisions")
    await connection.execute("SET buyer_tier.erasing = 'on'")
    await connection.execute("TRUNCATE decisions, api_keys")
    gone = await connection.execute(f"DELETE FROM events WHERE event_id LIKE '{MADE_HERE}%'", timeout=600)
    if gone != "DELETE 0":  # histories that hold them are wrong now
        await connection.execute("TRUNCATE buyer_profiles")
    await connection.execute("VACUUM (ANALYZE) events", timeout=600)


def champion(settings: Settings) -> str:
    """Name the model for MLflow's own server."""
    registry = Registry(settings.tracking_uri)
    return f"models:/buyer-score/{registry.champion_version()}"


def stored(url: str) -> int:
    """Count the decisions."""

    async def count() -> int:
        connection = await asyncpg.connect(url)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM decisions"))
        finally:
            await connection.close()

    return asyncio.run(count())


def seeds() -> Iterator[str]:
    """Name measurements, so that no two send one id."""
    began = datetime.now(UTC).strftime("%H%M%S")
    n = 0
    while True:
        n += 1
        yield f"{MADE_HERE}{began}-{n}"
