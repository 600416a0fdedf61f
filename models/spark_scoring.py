"""Score all buyers on Spark: features and model in one pass over each partition's Arrow batches.

The columns of the catalog never leave the executor; what leaves it is a score per buyer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from features.catalog import CATALOG
from features.compile import Catalog
from features.errors import BadInput
from features.events import TIMESTAMP

from .buyer_score import BuyerScore
from .scale import points_of

SCORES: Final = pa.schema(
    [("buyer_id", pa.string()), ("as_of", TIMESTAMP), ("p_abuse", pa.float64()), ("score", pa.float64())]
)


@dataclass(frozen=True)
class Scored:
    """Turns features into scores; give it to `features.spark.feature_files_spark` as ``then``.

    Parameters
    ----------
    score : BuyerScore
        As the registry loads it; it travels to the executors with the task.
    catalog : Catalog
        That of the features.

    Raises
    ------
    BadInput
        The model was trained on another catalog.
    """

    score: BuyerScore
    catalog: Catalog = CATALOG

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
        if not len(features):
            return SCORES.empty_table()
        X = features.select(self.catalog.names).to_pandas()
        p = self.score.predict_proba(X)[:, 1]
        keys = [features["buyer_id"], features["as_of"]]
        return pa.Table.from_arrays([*keys, pa.array(p), pa.array(points_of(p))], schema=SCORES)
