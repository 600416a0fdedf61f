"""``buyer-tier score --all``: a score for every buyer of an event log, by the registered champion."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from .on_spark import Engine, compute_on_spark

if TYPE_CHECKING:
    from models.spark_scoring import Scored


def score_all(
    events: str, out: str, *, as_of: datetime, engine: Engine, master: str | None, tasks: int | None
) -> dict[str, object]:
    """Write ``buyer_id, as_of, p_abuse, score, model_version, catalog_version``, and say what was done.

    Raises
    ------
    BadInput
        No champion, one of another catalog, a log that cannot be used, ``out`` exists.
    """
    scored = _champion()
    if engine is Engine.spark:
        rows = compute_on_spark(events, out, as_of=as_of, master=master, tasks=tasks, then=scored)
    else:
        rows = _on_this_machine(Path(events), Path(out), as_of=as_of, scored=scored)
    versions = {"model_version": scored.model_version, "catalog_version": scored.catalog.version}
    return {"rows": rows, **versions, "out": out}


def _champion() -> Scored:
    from features.errors import BadInput
    from models.registry import Registry
    from models.spark_scoring import Scored
    from serving.settings import Settings

    uri = Settings().tracking_uri
    champion = Registry(uri).champion()
    if champion is None:
        raise BadInput(f"no champion in {uri}; train one: buyer-tier train --events DIR")
    return Scored(champion.score, champion.version)


def _on_this_machine(events: Path, out: Path, *, as_of: datetime, scored: Scored) -> int:
    from buyer_tier.console import err
    from features.batch import feature_table, spine_of
    from features.errors import BadInput
    from features.files import replacing
    from features.log import read_log, write_table

    if out.exists():
        raise BadInput(f"{out}: exists; name another file or remove it")
    with err.status("reading the event log") as status:
        log = read_log(events)
        spine = spine_of(log["buyer_id"].unique().sort(), as_of)
        status.update(f"scoring {len(spine):,} buyers")
        scores = scored(feature_table(log, spine))
        with replacing(out) as temporary:
            write_table(scores, temporary, kind=".parquet")
    return len(scores)
