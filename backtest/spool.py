"""Rows of a log laid down by month in files, so that memory holds the rows of one month at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc

from features.scratch import Scratch

_OPTIONS: Final = ipc.IpcWriteOptions(compression="lz4")


class Spool:
    """Tables of one schema by month, named as 2026-03.

    Parameters
    ----------
    folder : Scratch
    name : str
        Of its files in the folder.
    schema : pa.Schema
    """

    def __init__(self, folder: Scratch, name: str, schema: pa.Schema) -> None:
        self._folder, self._name, self._schema = folder, name, schema
        self._rows: dict[str, int] = {}

    def write(self, parts: Iterable[tuple[str, pa.Table]]) -> None:
        """Lay rows down, once; those of a month come in any number of pieces."""
        writers: dict[str, ipc.RecordBatchFileWriter] = {}
        try:
            for month, table in parts:
                if len(table):
                    if month not in writers:
                        writers[month] = ipc.new_file(self._path(month), self._schema, options=_OPTIONS)
                    writers[month].write_table(table.cast(self._schema))
                    self._rows[month] = self._rows.get(month, 0) + len(table)
        finally:
            for writer in writers.values():
                writer.close()

    @property
    def months(self) -> list[str]:
        """Those of which there are rows, in order."""
        return sorted(self._rows)

    def rows(self, month: str) -> int:
        """Tell how many rows a month has."""
        return self._rows.get(month, 0)

    def read(self, month: str) -> pa.Table:
        """Read a month, in the order in which it was laid down; one without rows is empty."""
        if month not in self._rows:
            return self._schema.empty_table()
        with ipc.open_file(self._path(month)) as file:
            return file.read_all()

    def all(self, columns: list[str] | None = None) -> pa.Table:
        """Read all months, or some columns of them."""
        names = columns or self._schema.names
        empty = self._schema.empty_table().select(names)
        return pa.concat_tables([empty, *(self.read(month).select(names) for month in self.months)])

    def _path(self, month: str) -> str:
        return str(self._folder.path / f"{self._name}-{month}.arrow")


def by_month(tables: Iterable[pa.Table]) -> Iterator[tuple[str, pa.Table]]:
    """Divide rows by the month in which they were recorded."""
    for table in tables:
        months = table["recorded_at"].to_numpy().astype("datetime64[M]")
        for month in np.unique(months):
            yield str(month), table.filter(pa.array(months == month))
