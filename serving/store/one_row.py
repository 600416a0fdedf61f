"""One row that holds what would be many: each column an array.

PostgreSQL sends rows in pieces of 8 KiB, and at each the reader wakes up, decodes and sleeps again. Twenty
buyers with their histories are ten such pieces; as one row they are sent, and read, at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def together(query: str, names: str) -> str:
    """Write a query that gives one row: an array for each column, nulls if there are no rows.

    Parameters
    ----------
    query : str
        Its own order is kept.
    names : str
        One for each of its columns, with blanks between.
    """
    columns = names.split()
    arrays = ", ".join(f"array_agg({name})" for name in columns)
    return f"SELECT {arrays} FROM ({query}) AS one ({', '.join(columns)})"


def apart(row: Iterable[Any]) -> list[tuple[Any, ...]]:
    """Give the rows again."""
    return list(zip(*row, strict=True))
