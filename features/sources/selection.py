"""From a log on disk, what the features of some buyers can rest on, without holding the rest in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from features.events import SCHEMA
from features.log import is_checked_whole, read_log
from features.scan import batches, open_log

VERDICTS: Final = pa.array(["abuse_confirmed", "abuse_cleared"])
_LINK: Final = ("buyer_id", "kind", "link_type", "link_value")

Read = Callable[[Sequence[str]], Iterator[pa.Table]]


def events_about(path: Path, buyers: pa.Array, *, also: pa.Array) -> pa.Table:
    """Read the buyers' events, other accounts' sights on their links and those accounts' verdicts.

    Parameters
    ----------
    path : Path
        A log; Parquet is streamed three times, CSV is read whole.
    buyers : pa.Array
        Ids of buyers.
    also : pa.Array
        Ids of events to read whoever's they are.

    Returns
    -------
    pa.Table
        The contract's columns, rows in the log's order.

    Raises
    ------
    BadInput
        The log cannot be used as it is.
    """
    read = _whole(path) if is_checked_whole(path) else _streamed(path)
    own = [_links(part.filter(pc.is_in(part["buyer_id"], buyers))) for part in read(_LINK)]
    links = _words(_joined(own, _LINK)).unique()
    sights = [part.filter(pc.is_in(_words(part), links)) for part in map(_links, read(_LINK))]
    linked = _joined(sights, _LINK)["buyer_id"].unique()

    def wanted(part: pa.Table) -> pa.ChunkedArray:
        theirs = pc.or_(pc.is_in(part["buyer_id"], buyers), pc.is_in(part["event_id"], also))
        sight = pc.and_(pc.equal(part["kind"], "identity_linked"), pc.is_in(_words(part), links))
        verdict = pc.and_(pc.is_in(part["kind"], VERDICTS), pc.is_in(part["buyer_id"], linked))
        return pc.or_(theirs, pc.or_(sight, verdict))

    return _joined([part.filter(wanted(part)) for part in read(SCHEMA.names)], SCHEMA.names)


def _links(part: pa.Table) -> pa.Table:
    return part.filter(pc.equal(part["kind"], "identity_linked"))


def _words(part: pa.Table) -> pa.ChunkedArray:
    """Name each row's link; null where there is none."""
    return pc.binary_join_element_wise(part["link_type"], part["link_value"], "\0")


def _joined(parts: Sequence[pa.Table], columns: Sequence[str]) -> pa.Table:
    return pa.concat_tables([_schema(columns).empty_table(), *parts])


def _schema(columns: Sequence[str]) -> pa.Schema:
    return pa.schema([SCHEMA.field(name) for name in columns])


def _streamed(path: Path) -> Read:
    log = open_log(path)
    return lambda columns: (
        pa.Table.from_batches([batch]).cast(_schema(columns)) for batch in batches(log, columns)
    )


def _whole(path: Path) -> Read:
    table = read_log(path)
    return lambda columns: iter([table.select(columns)])
