"""What runs on an executor: one partition of whole buyers through the kernel."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from .batch import checked_spine, evaluate_spine, laid_out, spine_of
from .compile import Catalog
from .errors import BadInput
from .events import SCHEMA
from .history import packed
from .needs import Needs
from .row_checks import refuse_broken

ORIGIN: Final = "origin"
"""Column that tells events of the log, derived peer events and rows of the spine apart."""
LOGGED, PEER, ASK = range(3)


class Then(Protocol):
    """What becomes of a feature table on the executor, such as scores; sent there with pickle."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of what comes out."""

    def __call__(self, features: pa.Table) -> pa.Table:
        """Turn the features of one partition into as many rows."""


@cache
def code_version(package: Path = Path(__file__).parent) -> str:
    """Fingerprint a package's source: a driver and an executor must run the same."""
    digest = hashlib.sha256()
    for file in sorted(package.glob("*.py")):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def refuse_other_code(version: str, package: Path = Path(__file__).parent) -> None:
    """Raise `BadInput` where the source here is not the driver's: its numbers might differ."""
    if version != code_version(package):
        raise BadInput(
            f"{package}: differs from the {package.name} of the driver; install one version everywhere"
        )


@dataclass(frozen=True, kw_only=True)
class OfPartition:
    """Features of the buyers in one partition: callable on its Arrow batches."""

    catalog: Catalog
    needs: Needs
    as_of: datetime | None
    ids: bool
    then: Then | None
    code: str = field(default_factory=code_version)

    @property
    def schema(self) -> pa.Schema:
        """Columns of what comes out."""
        return self.catalog.schema if self.then is None else self.then.schema

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Give the partition's features; a partition without rows gives nothing."""
        held = list(batches)
        if not held:
            return
        refuse_other_code(self.code)
        rows = pa.Table.from_batches(held)
        del held
        told = rows.filter(pc.not_equal(rows[ORIGIN], ASK))
        logged = told.filter(pc.equal(told[ORIGIN], LOGGED))
        _refuse_unsound(logged)
        if self.ids:
            _refuse_repeats(logged)
        del logged
        features = self._features(told, self._asked(rows))
        del rows, told
        yield from (self.then(features) if self.then else features).to_batches()

    def _asked(self, rows: pa.Table) -> pa.Table:
        if self.as_of is not None:
            return spine_of(pc.unique(rows["buyer_id"]), self.as_of)
        asked = rows.filter(pc.equal(rows[ORIGIN], ASK))
        return checked_spine(asked.select(["buyer_id", "recorded_at"]).rename_columns(["buyer_id", "as_of"]))

    def _features(self, told: pa.Table, spine: pa.Table) -> pa.Table:
        as_of = spine["as_of"].cast(pa.int64()).to_numpy()
        histories = packed(told, needs=self.needs)
        values = evaluate_spine(histories, spine["buyer_id"], as_of, catalog=self.catalog)
        return laid_out(spine, values, catalog=self.catalog)


def _refuse_unsound(logged: pa.Table) -> None:
    """Ask the log's rows what `features.scan` asks, of the columns that are here."""
    for name in logged.column_names:
        if name != ORIGIN and not SCHEMA.field(name).nullable and logged[name].null_count:
            raise BadInput(f"the event log: {logged[name].null_count} nulls in {name}; every event needs one")
    columns = {n: logged[n].combine_chunks() for n in SCHEMA.names if n in logged.column_names}
    refuse_broken("the event log", columns)


def _refuse_repeats(logged: pa.Table) -> None:
    repeats = len(logged) - pc.count_distinct(logged["event_id"]).as_py()
    if repeats:
        raise BadInput(
            f"the event log: {repeats} events repeat an event_id; import the log first, it splits repeats off"
        )
