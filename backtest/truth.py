"""Who really is an abuser: the simulated market's hidden truth, which only reports may read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.errors import BadInput
from features.events import TIMESTAMP

_NEEDED: Final = ("buyer_id", "archetype", "is_abuser", "abuse_starts_at", "abuse_ends_at")
NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Truth:
    """Buyers, aligned.

    Attributes
    ----------
    buyer_ids : pa.Array
    archetype : list of str
    is_abuser : bool (n,)
    starts, ends : int64 (n,)
        Microseconds of the abuse; `NEVER` where it does not start or end.
    person_ids : pa.Array
        The first account of the person behind each.
    """

    buyer_ids: pa.Array
    archetype: list[str]
    is_abuser: npt.NDArray[np.bool_]
    starts: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    person_ids: pa.Array

    def active(self, since: int, until: int) -> npt.NDArray[np.bool_]:
        """Tell who abuses in ``[since, until)``."""
        return np.asarray(self.is_abuser & (self.starts < until) & (self.ends > since))


def read_truth(path: Path) -> Truth:
    """Read a truth file.

    Raises
    ------
    BadInput
        It cannot be read or lacks a column.
    """
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path}: cannot be read as a truth file ({str(error).splitlines()[0]})") from None
    if missing := [name for name in _NEEDED if name not in table.column_names]:
        raise BadInput(f"{path}: has no column {missing[0]}; it is no truth file of a simulated market")
    own = table["person_id" if "person_id" in table.column_names else "buyer_id"]
    starts, ends = (
        pc.fill_null(table[name].cast(TIMESTAMP).cast(pa.int64()), NEVER).to_numpy()
        for name in ("abuse_starts_at", "abuse_ends_at")
    )
    return Truth(
        table["buyer_id"].combine_chunks().cast(pa.string()),
        table["archetype"].to_pylist(),
        pc.fill_null(table["is_abuser"], False).to_numpy(),
        starts,
        ends,
        own.combine_chunks().cast(pa.string()),
    )
