"""Score all buyers: features and model in one pass over each partition's Arrow batches.

On Spark the columns of the catalog never leave the executor; what leaves it is a score per buyer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyarrow as pa

from features.catalog import CATALOG
from features.compile import Catalog
from features.errors import BadInput
from features.events import TIMESTAMP
from features.spark_partition import code_version, refuse_other_code

from .buyer_score import BuyerScore
from .scale import points_of

SCORES: Final = pa.schema(
    [
        ("buyer_id", pa.string()),
        ("as_of", TIMESTAMP),
        ("p_abuse", pa.float64()),
        ("score", pa.float64()),
        ("model_version", pa.string()),
        ("catalog_version", pa.string()),
    ]
)
_ROWS: Final = 65_536
"""Rows that the model takes at once; a row's score does not depend on its neighbours."""
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True)
class Scored:
    """Turns features into scores; give it to `features.spark.feature_files_spark` as ``then``.

    Parameters
    ----------
    score : BuyerScore
        As the registry loads it; it travels to the executors with the task, trees as LightGBM's text.
    model_version : str
        Written beside every score.
    catalog : Catalog
        That of the features.

    Raises
    ------
    BadInput
        The model was trained on another catalog.
    """

    score: BuyerScore
    model_version: str
    catalog: Catalog = CATALOG
    code: str = field(default_factory=lambda: code_version(_HERE))

    def __post_init__(self) -> None:
        trained_on = self.score.catalog_version
        if trained_on != self.catalog.version:
            raise BadInput(f"the model was trained on catalog {trained_on}, not on {self.catalog.version}")

    @property
    def schema(self) -> pa.Schema:
        """Columns of a table of scores."""
        return SCORES

    def __call__(self, features: pa.Table) -> pa.Table:
        """Score a table of the catalog's columns, row by row the same as on one machine."""
        refuse_other_code(self.code, _HERE)
        parts = [self._scored(features.slice(at, _ROWS)) for at in range(0, len(features), _ROWS)]
        return pa.concat_tables([SCORES.empty_table(), *parts])

    def _scored(self, features: pa.Table) -> pa.Table:
        p = self.score.predict_proba(features.select(self.catalog.names).to_pandas())[:, 1]
        versions = [pa.repeat(v, len(p)) for v in (self.model_version, self.catalog.version)]
        columns = [features["buyer_id"], features["as_of"], pa.array(p), pa.array(points_of(p)), *versions]
        return pa.Table.from_arrays(columns, schema=SCORES)
