"""What `mlflow.pyfunc` calls; imported from the copy of this code that travels with the model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .buyer_score import BuyerScore
from .reasons import Reason
from .scale import points_of


@dataclass(frozen=True)
class BuyerScorePyfunc:
    """Predict with a table in and a table out."""

    score: BuyerScore

    def predict(self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Give `p_abuse` and `score` (points) per row, and `reasons` as JSON when `params` ask for them.

        Parameters
        ----------
        model_input : DataFrame
            One column per feature, NaN where not defined; further columns are not looked at.
        params : mapping, optional
            `reasons`: whether to add the column; `limit`: how many at most.
        """
        wanted = dict(params or {})
        X = model_input[list(self.score.get_feature_names_out())].astype(np.float64)
        p = self.score.predict_proba(X)[:, 1]
        out = pd.DataFrame({"p_abuse": p, "score": points_of(p)}, index=model_input.index)
        if wanted.get("reasons"):
            found = self.score.reasons(X, limit=wanted.get("limit", 3))
            out["reasons"] = [_json(row) for row in found]
        return out


def _json(reasons: list[Reason]) -> str:
    return json.dumps([asdict(r) | {"text": dict(r.text)} for r in reasons], ensure_ascii=False)


def _load_pyfunc(data_path: str) -> BuyerScorePyfunc:
    return BuyerScorePyfunc(BuyerScore.load(Path(data_path)))
