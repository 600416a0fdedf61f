"""Many vectors scored at once: the very bits that one at a time gives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from decisions.request import BuyerEvidence
from features.catalog import CATALOG
from features.compile import Catalog

from ..buyer_score import BuyerScore
from ..evidence import evidence_of, places_in


def buyer_evidences(
    vectors: npt.NDArray[np.float64], *, score: BuyerScore, catalog: Catalog = CATALOG
) -> list[BuyerEvidence]:
    """Score vectors and read off them what `models.evidence.buyer_evidence` reads off one.

    Parameters
    ----------
    vectors : float64 (n, n_features)
    score : BuyerScore
        Trained on the same catalog.
    """
    if not len(vectors):
        return []
    read = vectors.T[places_in(catalog)].tolist()
    return list(map(evidence_of, score.assess_all(vectors), *read))
