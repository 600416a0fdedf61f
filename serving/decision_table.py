"""Decisions as a table: what was decided, by which versions and rules, and the vector column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import pyarrow as pa

from features.errors import BadInput
from features.skew import Meaning

RULES: Final = pa.list_(
    pa.struct(
        [pa.field("code", pa.string()), pa.field("passed", pa.bool_()), pa.field("detail", pa.string())]
    )
)


def decision_table(rows: pa.Table, columns: Sequence[Meaning] | None) -> pa.Table:
    """Lay out decisions of one catalog.

    Parameters
    ----------
    rows : pa.Table
        As `serving.store.readback.decisions` yields them: ``rules`` as JSON, ``vector`` as bytes.
    columns : sequence of (name, meaning), optional
        The catalog's. None when nobody remembers them: the vector then stays one list.

    Returns
    -------
    pa.Table
        The stored columns, ``rules`` as a list of (code, passed, detail), then one float64 a feature.
    """
    decoded = [msgspec.json.decode(text) for text in rows["rules"].to_pylist()]
    kept = rows.drop_columns(["rules", "vector"]).replace_schema_metadata(None)
    plain = pa.schema([pa.field(field.name, field.type) for field in kept.schema])
    table = kept.cast(plain).append_column("rules", pa.array(decoded, RULES))
    if columns is None:
        lists = [np.frombuffer(vector, "<f8") for vector in rows["vector"].to_pylist()]
        return table.append_column("vector", pa.array(lists, pa.list_(pa.float64())))
    matrix = matrix_of(rows["vector"], len(columns))
    for i, (name, _) in enumerate(columns):
        table = table.append_column(name, pa.array(np.ascontiguousarray(matrix[:, i])))
    return table


def matrix_of(vectors: pa.ChunkedArray, width: int) -> np.ndarray:
    """Read stored vectors, ``(n_rows, width)``.

    Raises
    ------
    BadInput
        One has another length than its catalog says.
    """
    stored = vectors.to_pylist()
    wrong = next((vector for vector in stored if len(vector) != 8 * width), None)
    if wrong is not None:
        raise BadInput(
            f"a stored vector has {len(wrong) // 8} values, its catalog {width}; the decisions were altered"
        )
    return np.frombuffer(b"".join(stored), "<f8").reshape(-1, width).astype(np.float64)
